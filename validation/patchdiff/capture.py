"""Runs the suite of one version under tracing, in the sandbox, and reads what it called."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from apr.core.bug import RunnerKind, TestId
from apr.core.errors import SandboxDiedError
from apr.core.report import TestOutcome
from validation.patchdiff.model import Call, Target
from validation.patchdiff.sessions import Place, ProbeProcess, Version
from validation.patchdiff.values import is_description, parse_value, walk
from validation.runners.base import RunLimits
from validation.runners.protocol import Transcript


@dataclass(slots=True)
class Seen:
    """One function as the suite called it."""

    target: Target
    calls: list[Call] = field(default_factory=list)
    skipped: int = 0
    why_skipped: str = ""


@dataclass(slots=True)
class Captured:
    """What one run of the suite has shown; functions by key. `was_cut`: the time was over."""

    functions: dict[str, Seen] = field(default_factory=dict)
    outcomes: dict[TestId, TestOutcome] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    was_cut: bool = False


def capture(
    version: Version,
    place: Place,
    limits: RunLimits,
    files: Iterable[str],
    targets: Iterable[str],
    seconds: float,
    first: Iterable[TestId] = (),
) -> Captured:
    """Run the suite once, for so many seconds: what was seen by then is told.

    The tests named `first` are run before the others, whose turn may not come.

    Raises:
        EnvironmentUnusableError: when no test can run at all.
    """
    command = place.command
    wanted = sorted(targets)
    config = {
        "mode": "capture",
        "runner": command.kind.value,
        "argv": list(command.argv),
        "paths": [],
        "tests": None,
        "test_timeout_s": limits.test_s,
        "test_floor_s": limits.floor_s,
        "files": sorted(files),
        "targets": wanted,
        "seconds": seconds,
        "first": list(first),
    }
    reader = _Reader(frozenset(wanted))
    with place.start(version, config) as probe, suppress(TimeoutError, SandboxDiedError):
        reader.read_all(probe, limits)
    return reader.captured()


class _Reader:
    """Sorts the messages of a traced run: outcomes of tests, and calls of functions."""

    def __init__(self, targets: frozenset[str]) -> None:
        self._targets = targets
        self._transcript = Transcript()
        self._functions: dict[str, Seen] = {}
        self._current: Seen | None = None
        self._path: tuple[str, ...] = ()
        self._was_cut = False

    def read_all(self, probe: ProbeProcess, limits: RunLimits) -> None:
        deadline = time.monotonic() + limits.total_s
        while self._transcript.status is None:
            remaining = deadline - time.monotonic()
            message = probe.receive(min(limits.idle_s, max(remaining, 0.001)))
            try:
                self._read(message)
            except (KeyError, TypeError, ValueError) as error:
                # Who runs in the probe's process can speak in its name, and is believed no more.
                raise SandboxDiedError("a probe sent what it never sends") from error

    def _read(self, message: Mapping[str, Any]) -> None:
        kind = message.get("k")
        if kind == "function":
            self._current = self._see(message)
        elif kind == "case" and self._current is not None:
            call = _parse_call(message)
            if call is not None:
                self._current.calls.append(call)
        elif kind == "cut":
            self._was_cut = True
        elif kind == "path":
            self._path = tuple(str(each) for each in message["path"])
        else:
            self._transcript.read(message)

    def _see(self, message: Mapping[str, Any]) -> Seen:
        path, name = str(message["path"]), str(message["q"])
        key = f"{path}:{name}"
        reaches = tuple(str(each) for each in message["reaches"])
        target = Target(path, str(message["m"]), name, key in self._targets, reaches)
        seen = Seen(target, skipped=int(message["skipped"]), why_skipped=str(message["why"]))
        return self._functions.setdefault(key, seen)

    def captured(self) -> Captured:
        outcomes = {test: result.outcome for test, result in self._transcript.results.items()}
        return Captured(self._functions, outcomes, self._path, self._was_cut)


def _parse_call(message: Mapping[str, Any]) -> Call | None:
    arguments, keywords = message["a"], message["kw"]
    pairs = keywords.get("v") if isinstance(keywords, dict) else None
    if not isinstance(arguments, list) or not isinstance(pairs, list):
        return None
    if not is_description(arguments) or not is_description(keywords):
        return None
    return Call(
        tuple(parse_value(argument) for argument in arguments),
        tuple((str(name), parse_value(value)) for name, value in pairs),
        "observed",
        str(message["test"]),
    )


def is_linked(call: Call) -> bool:
    """Whether arguments share an object, so that none of them can be replaced alone."""
    defined: list[set[int]] = []
    for value in (*call.arguments, *(value for _, value in call.keywords)):
        described = getattr(value, "described", None)
        nodes = list(walk(described)) if described is not None else []
        own = {node["n"] for node in nodes if node.get("t") == "shared"}
        if any(node.get("t") == "ref" and node["n"] not in own for node in nodes):
            return True
        defined.append(own)
    return False


def merge(captures: Sequence[Captured], wanted: int) -> list[Seen]:
    """The functions that were seen in any version, the changed ones first, then the nearest.

    At most `wanted`; each with the different calls of all versions.
    """
    merged: dict[str, Seen] = {}
    for captured in captures:
        for key, seen in captured.functions.items():
            known = merged.setdefault(key, Seen(seen.target, [], 0, seen.why_skipped))
            known.skipped = max(known.skipped, seen.skipped)
            texts = {repr((call.arguments, call.keywords)) for call in known.calls}
            known.calls += [c for c in seen.calls if repr((c.arguments, c.keywords)) not in texts]
    ordered = sorted(merged.values(), key=lambda seen: (not seen.target.is_changed,))
    return ordered[:wanted]


def can_trace(kind: RunnerKind) -> bool:
    """Whether suites of that kind run in a process into which a probe can look."""
    return kind.is_python
