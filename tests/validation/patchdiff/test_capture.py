"""A suite under tracing: what is told when its time is over, and which tests come first."""

from __future__ import annotations

import sys
from pathlib import Path

from apr.core.bug import RunnerKind, TestCommand, TestId
from apr.core.ports import Sandbox
from apr.core.report import TestOutcome
from support.patchdiff import LIMITS, write_version
from validation.patchdiff.capture import Captured, capture
from validation.patchdiff.sessions import Place

FILES = {
    "m.py": "def f(n):\n    return n\n",
    "test_m.py": """import time

import m


def test_long():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        m.f(1)


def test_short():
    m.f(2)
""",
}
SHORT = TestId("test_m.py::test_short")


def trace(sandbox: Sandbox, root: Path, *first: TestId) -> Captured:
    place = Place(sandbox, TestCommand(RunnerKind.PYTEST, (), sys.executable))
    version = write_version(root / "shop", "left", FILES)
    return capture(version, place, LIMITS, ["m.py"], ["m.py:f"], 1.5, first)


def values(captured: Captured) -> set[object]:
    return {call.arguments[0] for call in captured.functions["m.py:f"].calls}


def test_what_was_seen_is_told_when_the_time_is_over(sandbox: Sandbox, tmp_path: Path) -> None:
    captured = trace(sandbox, tmp_path)
    assert captured.was_cut
    assert values(captured) == {1}
    assert captured.outcomes == {}


def test_the_tests_named_first_have_their_turn(sandbox: Sandbox, tmp_path: Path) -> None:
    captured = trace(sandbox, tmp_path, SHORT)
    assert values(captured) == {1, 2}
    assert captured.outcomes == {SHORT: TestOutcome.PASSED}
