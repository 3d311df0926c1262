"""Ends all that runs in a sandbox at once, from another thread, and lets nothing more start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock

from apr.core.errors import AprError
from apr.core.ports import Sandbox, SandboxProcess


class Switch:
    """Off once and for all, for a reason that whoever meets it afterwards is told.

    The reason must be no EnvironmentUnusableError: those are tried again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._reason: AprError | None = None
        self._running: set[SandboxProcess] = set()

    @property
    def reason(self) -> AprError | None:
        """Why it is off; None: it is on."""
        return self._reason

    def check(self) -> None:
        """Raises the reason when it is off."""
        if self._reason is not None:
            raise self._reason

    def turn_off(self, reason: AprError) -> None:
        """Kill what runs; the first reason holds."""
        with self._lock:
            self._reason = self._reason or reason
            running = list(self._running)
        for process in running:
            process.kill()

    def guard(self, sandbox: Sandbox) -> Sandbox:
        """The sandbox, under this switch."""
        return _Switched(sandbox, self)

    @contextmanager
    def watching(self, process: SandboxProcess) -> Iterator[SandboxProcess]:
        """Kill the process when the switch is turned off within the block.

        Raises:
            AprError: the reason, at the end too: what came of the process then means nothing.
        """
        with self._lock:
            self.check()
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)
            self.check()


class _Switched:
    """A sandbox whose processes a switch can end."""

    def __init__(self, sandbox: Sandbox, switch: Switch) -> None:
        self.name = sandbox.name
        self._sandbox = sandbox
        self._switch = switch

    @contextmanager
    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> Iterator[SandboxProcess]:
        """See `Sandbox.start`."""
        self._switch.check()
        started = self._sandbox.start(argv, workspace, writable=writable, environment=environment)
        with started as process, self._switch.watching(process):
            yield process

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._sandbox.close()
