"""A network between workers and servers, that can be cut for one server at a time; for root.

The caller is in a mount and a network namespace of its own, so that nothing outlives it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVERS, WORKERS = "10.213.0.1", "10.213.0.2"
NAME = "workers"
NAMES = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class Network:
    """`inside`: the command that runs another one where the workers are."""

    inside: tuple[str, ...]

    @contextmanager
    def cut(self, port: int) -> Iterator[None]:
        """Within the block every packet from and to the port is dropped, without a word."""
        rules = [("OUTPUT", "--dport"), ("INPUT", "--sport")]
        for chain, side in rules:
            self._iptables("-A", chain, side, port)
        try:
            yield
        finally:
            for chain, side in rules:
                self._iptables("-D", chain, side, port)

    def _iptables(self, action: str, chain: str, side: str, port: int) -> None:
        rule = [action, chain, "-p", "tcp", side, str(port), "-j", "DROP"]
        _run(*self.inside, "iptables", "-w", *rule)


def make_network() -> Network:
    """Servers at one end of a cable, a namespace for workers at the other."""
    _run("mount", "--make-rprivate", "/")
    NAMES.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "tmpfs", str(NAMES))
    for command in (
        "link set lo up",
        f"netns add {NAME}",
        f"link add servers type veth peer name {NAME} netns {NAME}",
        f"address add {SERVERS}/30 dev servers",
        "link set servers up",
        f"-n {NAME} address add {WORKERS}/30 dev {NAME}",
        f"-n {NAME} link set {NAME} up",
        f"-n {NAME} link set lo up",
    ):
        _run("ip", *command.split())
    return Network(("nsenter", f"--net={NAMES / NAME}"))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
