"""What an attack is, and the server that it is tried on."""

from __future__ import annotations

import io
import socket
import tarfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.oracle import Oracle
from apr.core.patch import Hunk, Patch
from apr.core.report import (
    Baseline,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)
from apr.core.run import Budget, RankedPatch, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode
from apr.helping import ORACLE
from apr.storage.oracle import encode_oracle
from support.web_server import WebServer
from web.security.principal import Scope

SCRIPT = "<script>alert(1)</script>"
ANSI = "\x1b]0;owned\x07\x1b[2J"
HOSTILE_TEST = f"tests/t.py::test_`{SCRIPT}`{ANSI}\ndata: forged\r\n"
HOSTILE_MESSAGE = f"]]>{SCRIPT}{ANSI}\x00\udcff<img src=x onerror=alert(1)>"
HOSTILE_PATH = "a\"'><svg onload=alert(1)>.py"
HOSTILE_DIFF = f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+```{SCRIPT}</pre>\udcff\n"
HOSTILE_NAME = f"{SCRIPT}{ANSI}\udcff"
RUN_ID = "260101-000000-abcdef"


@dataclass
class World:
    """A server with a victim, whose run and project the attacker is after."""

    server: WebServer
    folder: Path
    victim_source: str
    victim_run: str
    victim_hook: str
    victim_token: str
    clients: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def attacker(self) -> httpx.Client:
        return self.clients.enter_context(self.server.client("attacker"))

    @cached_property
    def victim(self) -> httpx.Client:
        return self.clients.enter_context(self.server.client("victim"))

    @cached_property
    def reader(self) -> httpx.Client:
        return self.clients.enter_context(self.server.client("attacker", Scope.READ))

    @cached_property
    def nobody(self) -> httpx.Client:
        return self.clients.enter_context(self.server.client(None))

    def browser(self) -> httpx.Client:
        """A client that keeps cookies."""
        return self.clients.enter_context(self.server.client(None))

    def artifact(self, name: str) -> httpx.Response:
        return self.victim.get(f"/runs/{RUN_ID}/artifacts/{name}")

    def raw(self, data: bytes, *, then: Iterable[bytes] = (), wait_s: float = 4.0) -> bytes:
        """Send bytes as they are; all that comes back until the server hangs up or is silent."""
        parts = urlsplit(self.server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=wait_s) as peer:
            with suppress(ConnectionResetError, BrokenPipeError):
                for piece in (data, *then):
                    peer.sendall(piece)
            return _drain(peer)


def _drain(peer: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := peer.recv(65536):
            answer += piece
    except (ConnectionResetError, BrokenPipeError):
        pass
    return answer


@dataclass(frozen=True)
class Attack:
    """`try_it` returns what the server did, and fails when that was not a refusal."""

    kind: str
    name: str
    try_it: Callable[[World], str] = field(compare=False)


ATTACKS: list[Attack] = []


def attack(kind: str, name: str) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    """Register an attack; a response that it returns must be a refusal (status 400 to 499)."""

    def register(function: Callable[[World], Any]) -> Callable[[World], Any]:
        def try_it(world: World) -> str:
            said = function(world)
            if isinstance(said, httpx.Response):
                assert 400 <= said.status_code < 500, (said.status_code, said.text[:300])
                assert "Traceback" not in said.text
                return f"{said.status_code} {said.reason_phrase}"
            return str(said)

        ATTACKS.append(Attack(kind, name, try_it))
        return function

    return register


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A gzipped tar of members as they are given, sane or not."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def plain_file(name: str, content: bytes = b"x = 1\n") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


def attacked_settings(folder: Path) -> dict[str, Any]:
    """Settings under which no attack has to be large or long."""
    return {
        "authenticate": True,
        "allowed_paths": (folder / "allowed",),
        "allowed_urls": ("https://git.example.org/team/",),
        "max_upload_bytes": 2_000_000,
        "max_unpacked_bytes": 3_000_000,
        "max_files": 500,
        "max_sources": 40,
        "max_body_bytes": 200_000,
        "failures_per_minute": 10_000,
        "header_timeout_s": 1.5,
        "body_timeout_s": 1.5,
    }


def make_world(server: WebServer, folder: Path) -> World:
    """Give the victim a project, a run, a hostile run, a webhook and a token."""
    with server.client("victim") as victim:
        source = victim.post("/sources/archive", content=tar_of(plain_file("calc.py"))).json()
        run = victim.post("/runs", json={"source": source["source"]}).json()
        hook = victim.post("/webhooks", json={"url": "https://1.1.1.1/hook"}).json()
        token = victim.get("/tokens").json()["tokens"][0]["token"]
    _keep_hostile_run(server, folder)
    return World(server, folder, source["source"], run["run"], hook["webhook"], token)


def _keep_hostile_run(server: WebServer, folder: Path) -> None:
    """A finished run whose every word comes from an attacker."""
    store = server.site.service.store
    patch = Patch((Hunk(HOSTILE_PATH, 1, ("old\n",), (f"```{SCRIPT}\udcff\n",)),))
    failing = TestResult(TestId(HOSTILE_TEST), TestOutcome.FAILED, message=HOSTILE_MESSAGE)
    report = ValidationReport(
        Verdict.PLAUSIBLE, Stage.CONFIRM, message=HOSTILE_MESSAGE, results=(failing,)
    )
    bug = Bug(str(folder), TestCommand(RunnerKind.PYTEST), name=HOSTILE_NAME)
    store.create_run(
        RepairRun(
            id=RUN_ID,
            bug=bug,
            settings={},
            seed=0,
            status=RunStatus.SUCCEEDED,
            budget=Budget(),
            usage=Usage(),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            message=HOSTILE_MESSAGE,
            patches=(RankedPatch(1, 1, HOSTILE_DIFF, SCRIPT),),
        )
    )
    server.site.catalog.set_owner(RUN_ID, "victim")
    root = SearchNode(0, None, Patch())
    store.save_nodes(RUN_ID, [root, SearchNode(1, 0, patch, origin=SCRIPT, report=report)])
    store.append_event(RUN_ID, "warning", {"message": f"x\n\ndata: forged\r\n{ANSI}"})
    baseline = Baseline((failing,), (), (), (), {}, 1.0, 2)
    store.save_artifact(RUN_ID, ORACLE, encode_oracle(Oracle(baseline, None, (), "digest")))
