"""A subject is measured once: later runs get the same baseline, until something else counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.oracle import Oracle, Staging
from apr.oracles import find_oracle, keep_oracle, oracle_key
from apr.settings import RunSettings
from apr.storage.memory import InMemoryRunStore
from apr.subject import PreparedSubject, prepare_subject

SETTINGS = RunSettings(sandbox="process")
SOURCE = "def f(a):\n    b = a + 1\n    return b\n\n\ndef g(a):\n    return a\n"
TESTS = """from m import f, g


def test_f():
    assert f(1) == 1


def test_g():
    assert g(1) == 1
"""
Events = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
def bug(tmp_path: Path) -> Bug:
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "m.py").write_text(SOURCE)
    (subject / "test_m.py").write_text(TESTS)
    (subject / "pytest.ini").write_text("[pytest]\n")
    return Bug(str(subject), TestCommand(RunnerKind.PYTEST, (), sys.executable))


class Measuring:
    """A store, and what was told about finding oracles with it."""

    def __init__(self) -> None:
        self.store = InMemoryRunStore()
        self.events: Events = []

    def __call__(self, bug: Bug, settings: RunSettings = SETTINGS) -> tuple[Oracle, bool]:
        """The oracle, and whether it was known."""
        self.events.clear()
        with prepare_subject(bug, settings) as subject:
            oracle = find_oracle(bug, subject, settings, self._notify, self.store)
        (known,) = (data["is_known"] for kind, data in self.events if kind == "baseline")
        return oracle, known

    def _notify(self, kind: str, data: Mapping[str, Any]) -> None:
        self.events.append((kind, data))


@pytest.fixture
def measure() -> Measuring:
    return Measuring()


def test_a_second_run_gets_the_first_ones_oracle(measure: Measuring, bug: Bug) -> None:
    first, was_known = measure(bug)
    second, is_known = measure(replace(bug, name="other", issue_text="It fails."))
    assert (was_known, is_known) == (False, True)
    assert second == first  # durations included, which no second measurement repeats
    assert [result.test for result in first.baseline.failing] == ["test_m.py::test_f"]
    assert {"m.py:2", "m.py:3"} <= {str(suspect.location) for suspect in first.locations}
    assert not any(kind == "test" for kind, _ in measure.events)


def test_the_suspects_are_ranked_by_each_runs_own_settings(measure: Measuring, bug: Bug) -> None:
    measure(bug)
    given, is_known = measure(bug, SETTINGS.model_copy(update={"locations": ("m.py::g",)}))
    assert is_known
    assert {suspect.location.first for suspect in given.locations} <= {6, 7}


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS.model_copy(update={"repeats": 3}),
        SETTINGS.model_copy(update={"test_timeout_s": 9.0}),
        SETTINGS.model_copy(update={"reuse_baseline": False}),
    ],
)
def test_what_was_measured_otherwise_is_measured_anew(
    measure: Measuring, bug: Bug, settings: RunSettings
) -> None:
    measure(bug)
    assert not measure(bug, settings)[1]
    assert measure(bug)[1]


@contextmanager
def prepared(bug: Bug) -> Iterator[PreparedSubject]:
    with prepare_subject(bug, SETTINGS) as subject:
        yield subject


def edit(bug: Bug, name: str) -> Bug:
    path = Path(bug.subject) / name
    path.write_text(path.read_text() + "# edited\n")
    return bug


def command(bug: Bug, **changes: Any) -> Bug:
    return replace(bug, test_command=replace(bug.test_command, **changes))


@pytest.mark.parametrize(
    "change",
    [
        lambda bug: edit(bug, "m.py"),
        lambda bug: edit(bug, "test_m.py"),
        lambda bug: command(bug, argv=("test_m.py",)),
        lambda bug: command(bug, environment=(("A", "b"),)),
        lambda bug: replace(bug, trigger_tests=(TestId("test_m.py::test_f"),)),
        lambda bug: replace(bug, source_globs=("m.py",)),
    ],
)
def test_another_subject_or_command_has_another_key(bug: Bug, change: Callable[[Bug], Bug]) -> None:
    with prepared(bug) as subject:
        before = oracle_key(bug, subject, SETTINGS)
    changed = change(bug)
    with prepared(changed) as subject:
        assert oracle_key(changed, subject, SETTINGS) not in (before, None)


def test_what_any_command_runs_cannot_be_known(bug: Bug) -> None:
    other = replace(bug, test_command=TestCommand(RunnerKind.COMMAND, ("make", "check")))
    with prepared(other) as subject:
        assert oracle_key(other, subject, SETTINGS) is None


def test_what_is_found_out_later_is_kept_for_others(measure: Measuring, bug: Bug) -> None:
    oracle, _ = measure(bug)
    with prepared(bug) as subject:
        key = oracle_key(bug, subject, SETTINGS)
    staged = replace(oracle, staging=Staging(is_staged=True, writable=False))
    keep_oracle(key, staged, measure.store)
    keep_oracle(None, oracle, measure.store)
    assert measure(bug)[0] == staged
