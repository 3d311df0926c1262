"""Versions of a program, each in a folder and a warm sandbox of its own, and calls to them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from apr.core.bug import TestCommand
from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from validation.patchdiff.model import Call, Outcome, Raised, Target
from validation.patchdiff.values import is_description
from validation.runners.protocol import ForgedLineError, Seal
from validation.runners.session import HARNESS_ROOT

BOOTSTRAP = (
    "import sys; sys.path[0] = sys.argv[1]; import apr_probe.main; "
    "del sys.path[0], sys.argv[1:], apr_probe; sys.modules['apr_probe.main'].main()"
)
START_S = 120.0
WALL_FACTOR = 4  # as in apr_probe.calls
GRACE_S = 5.0
MAX_FORGED = 1000
MAX_STARTS = 12


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the subject: what it is called, and the folder that holds it."""

    name: str
    root: Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code of all versions runs: a sandbox, the interpreter, and what it imports.

    `path` are folders of the subject that its suite puts on `sys.path`.
    """

    sandbox: Sandbox
    command: TestCommand
    path: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @contextmanager
    def start(self, version: Version, config: Mapping[str, Any]) -> Iterator[ProbeProcess]:
        """A fresh probe in a scratch copy of the version."""
        with self.sandbox.start(
            [self.command.python, "-c", BOOTSTRAP, str(HARNESS_ROOT)],
            str(version.root),
            writable=True,
            environment=dict(self.command.environment),
        ) as process:
            yield ProbeProcess(process, {**config, "path": list(self.path)})


class ProbeProcess:
    """The host's end of one probe: sealed lines in, commands out."""

    def __init__(self, process: SandboxProcess, config: Mapping[str, Any]) -> None:
        self.process = process
        self._seal = Seal()
        self._send({**config, "secret": self._seal.secret})

    def _send(self, message: Mapping[str, Any]) -> None:
        self.process.send(json.dumps(message).encode() + b"\n")

    def receive(self, timeout_s: float, seal: Seal | None = None) -> dict[str, Any]:
        """The next genuine message; with `seal`, also one of the child that was told its secret.

        Raises:
            TimeoutError: when none came in time.
            SandboxDiedError: when the probe has ended, or somebody floods its channel.
            EnvironmentUnusableError: when it says that it cannot work.
        """
        deadline = time.monotonic() + timeout_s
        for _ in range(MAX_FORGED):
            line = self.process.receive_line(max(0.001, deadline - time.monotonic()))
            for each in (seal, self._seal):
                try:
                    message = each.open(line) if each is not None else None
                except (ForgedLineError, ValueError, RecursionError):
                    continue
                if message is not None:
                    return _checked(message)
        raise SandboxDiedError("the code under test writes to the channel of its referee")

    def request(self, number: int, calls: Sequence[Any], limit_s: float, watched: bool) -> Seal:
        """Ask for a batch of calls; the seal of the answers."""
        seal = Seal()
        how = {"secret": seal.secret, "limit_s": limit_s, "watched": watched}
        self._send({"n": number, "calls": calls, **how})
        return seal


def _checked(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("k") == "fatal":
        last = str(message.get("m")).strip().splitlines()[-1:]
        raise EnvironmentUnusableError(f"the program cannot be called: {' '.join(last)}")
    return message


class Session:
    """A warm probe of one version; it is started anew when the code under test ends it."""

    def __init__(
        self, version: Version, place: Place, watched: Mapping[str, frozenset[int]]
    ) -> None:
        self.version = version
        self.calls = 0
        self._place = place
        self._config = {
            "mode": "serve",
            "modules": list(place.modules),
            "lines": {path: sorted(numbers) for path, numbers in watched.items()},
        }
        self._stack = ExitStack()
        self._probe: ProbeProcess | None = None
        self._pending: tuple[Seal, int, float] | None = None
        self._starts = 0
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._probe = None
        self._stack.close()

    def _started(self) -> ProbeProcess:
        if self._probe is None:
            self._starts += 1
            if self._starts > MAX_STARTS:
                raise EnvironmentUnusableError(f"{self.version.name} ends its process every time")
            probe = self._stack.enter_context(self._place.start(self.version, self._config))
            try:
                probe.receive(START_S)
            except TimeoutError:
                self._stop()
                raise EnvironmentUnusableError(f"{self.version.name} hangs at import") from None
            except SandboxDiedError:
                self._stop()
                raise EnvironmentUnusableError(f"{self.version.name} dies at import") from None
            self._probe = probe
        return self._probe

    def ask(
        self, target: Target, calls: Sequence[Call], limit_s: float, *, watched: bool = True
    ) -> None:
        """Start a batch; `answer` waits for it. Only `watched` calls tell what they execute."""
        documents = [call.document(target) for call in calls]
        probe = self._started()
        self._count += 1
        seal = probe.request(self._count, documents, limit_s, watched)
        self._pending = (seal, len(calls), limit_s)

    def answer(self) -> list[Outcome | None]:
        """One outcome a call of the batch asked for; None for those that were not performed.

        A call that takes the process down or falls silent is answered by what it did.
        """
        assert self._pending is not None
        seal, count, limit_s = self._pending
        self._pending = None
        outcomes: list[Outcome | None] = []
        try:
            while True:
                message = self._started().receive(WALL_FACTOR * limit_s + GRACE_S, seal)
                if message.get("k") == "outcome":
                    outcomes.append(parse_outcome(message.get("o")))
                elif message.get("k") == "done" and message.get("n") == self._count:
                    if len(outcomes) < count and not _stopped_itself(outcomes):
                        outcomes.append(Outcome("died"))
                    break
        except TimeoutError:
            self._stop()
            outcomes.append(Outcome("timeout"))
        except SandboxDiedError:
            self._stop()
            outcomes.append(Outcome("died"))
        self.calls += len(outcomes)
        return [*outcomes[:count], *[None] * (count - len(outcomes))]


def _stopped_itself(outcomes: Sequence[Outcome | None]) -> bool:
    return bool(outcomes) and outcomes[-1] is not None and outcomes[-1].ended == "timeout"


def perform(
    sessions: Sequence[Session],
    target: Target,
    calls: Sequence[Call],
    limit_s: float,
    *,
    watched: bool = True,
) -> list[tuple[Outcome | None, ...]]:
    """The same calls on every version, side by side: for each call one outcome a version."""
    for session in sessions:
        session.ask(target, calls, limit_s, watched=watched)
    answers = [session.answer() for session in sessions]
    return list(zip(*answers, strict=True))


def perform_fresh(
    version: Version, place: Place, target: Target, call: Call, limit_s: float, hash_seed: int
) -> Outcome:
    """One call in a sandbox of its own, in which texts are hashed by another seed."""
    seeded = {**dict(place.command.environment), "PYTHONHASHSEED": str(hash_seed)}
    fresh = Place(
        place.sandbox,
        TestCommand(
            place.command.kind,
            place.command.argv,
            place.command.python,
            environment=tuple(seeded.items()),
        ),
        place.path,
        place.modules,
    )
    with Session(version, fresh, {}) as session:
        try:
            session.ask(target, [call], limit_s, watched=False)
        except EnvironmentUnusableError as error:
            return Outcome("unusable", message=str(error))
        return session.answer()[0] or Outcome("died")


def parse_outcome(document: Any) -> Outcome:
    """An outcome as a probe tells it; what is not of the expected form is left out."""
    read: Callable[[str], Any] = document.get if isinstance(document, dict) else lambda name: None
    raised = read("raised")
    known = isinstance(raised, dict)
    return Outcome(
        ended=_ending(document),
        value=_described(read("value")),
        raised=Raised(
            str(raised.get("type")), str(raised.get("message")), raised.get("own") is True
        )
        if known
        else None,
        invalid=str(read("invalid") or ""),
        arguments=_descriptions(read("arguments")),
        stdout=str(read("stdout") or ""),
        stderr=str(read("stderr") or ""),
        warnings=tuple(_pairs(read("warnings"))),
        state=_descriptions(read("state")),
        files={path: str(digest) for path, digest in _mapping(read("files")).items()},
        lines=frozenset(_lines(read("lines"))),
        message=str(read("unusable") or ""),
    )


def _ending(document: Any) -> str:
    if isinstance(document, dict):
        for key, ending in (("value", "returned"), ("raised", "raised"), ("timeout", "timeout")):
            if key in document:
                return ending
    return "unusable"


def _described(found: Any) -> Any:
    """A value that nobody of ours has described is a value of its own kind."""
    return found if is_description(found) else {"t": "opaque", "v": "?", "r": "malformed"}


def _descriptions(found: Any) -> dict[str, Any]:
    return {key: _described(value) for key, value in _mapping(found).items()}


def _mapping(found: Any) -> dict[str, Any]:
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def _pairs(found: Any) -> Iterator[tuple[str, str]]:
    for each in found if isinstance(found, list) else ():
        if isinstance(each, list) and len(each) == 2:
            yield str(each[0]), str(each[1])


def _lines(found: Any) -> Iterator[tuple[str, int]]:
    for path, numbers in _mapping(found).items():
        if isinstance(numbers, list):
            yield from ((path, number) for number in numbers if isinstance(number, int))
