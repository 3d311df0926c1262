"""A machine that breaks while patches are judged delays verdicts; it never becomes one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.oracle import Oracle, Staging
from apr.core.patch import Patch, diff_texts
from apr.core.report import Verdict
from apr.storage.oracle import decode_oracle, encode_oracle
from validation.plan import ValidationSettings
from validation.runners import base, session
from validation.validator import StagedValidator

SOURCE = "import time\n\n\ndef add(a, b):\n    return a - b\n"
TESTS = "import calc\n\n\ndef test_sum():\n    assert calc.add(1, 2) == 3\n"


class Breaking:
    """A runner whose sessions cannot be opened while `broken` is above zero."""

    def __init__(self, runner: base.TestRunner) -> None:
        self._runner = runner
        self.can_select = runner.can_select
        self.run = runner.run
        self.broken = 0
        self.opened = 0

    @contextmanager
    def open(
        self, workspace: Path, *, watched: Sequence[str], tests: Sequence[str], writable: bool
    ) -> Iterator[base.TestSession]:
        self.opened += 1
        if self.broken > 0:
            self.broken -= 1
            raise SandboxDiedError("the engine is gone")
        with self._runner.open(
            workspace, watched=watched, tests=tests, writable=writable
        ) as session:
            yield session


def returning(expression: str) -> Patch:
    return diff_texts({"calc.py": SOURCE}, {"calc.py": SOURCE.replace("a - b", expression)})


@pytest.fixture(scope="module")
def subject(make_subject):
    return make_subject({"calc.py": SOURCE, "test_calc.py": TESTS})


@pytest.fixture(scope="module")
def oracle(subject) -> Oracle:
    found = subject.reproduce()
    return Oracle(found.baseline, found.matrix, (), "digest", Staging(True, False))


@pytest.fixture
def runner(subject, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    monkeypatch.setattr("validation.validator.PAUSES_S", (0.01,) * 4)
    return Breaking(subject.runner)


@pytest.fixture
def validator(subject, oracle: Oracle, runner: Breaking) -> Iterator[StagedValidator]:
    with StagedValidator(
        runner,
        subject.workspace.root,
        oracle.baseline,
        oracle.matrix,
        ValidationSettings(floor_s=1.0),
        can_protect=True,
        staging=decode_oracle(encode_oracle(oracle)).staging,
    ) as opened:
        yield opened


def test_what_was_measured_once_is_not_measured_again(validator, runner, oracle) -> None:
    assert runner.opened == 0
    assert validator.staging == oracle.staging


def test_sandboxes_that_die_without_the_patch_too_are_waited_for(validator, runner) -> None:
    runner.broken = 7  # two attempts and a control, twice, and one more
    good, bad = validator.validate([returning("a + b"), returning("a * b")])
    assert (good.verdict, bad.verdict) == (Verdict.PLAUSIBLE, Verdict.STILL_FAILS)
    assert runner.broken == 0


def test_a_patch_that_silences_its_server_is_not_waited_for_twice(
    validator, runner, monkeypatch
) -> None:
    def fall_silent(*_: object) -> None:
        monkeypatch.setattr(session.TestServer, "execute", execute)
        raise session.SilentServerError("the test server fell silent")

    execute = session.TestServer.execute
    monkeypatch.setattr(session.TestServer, "execute", fall_silent)
    (report,) = validator.validate([returning("a + b")])
    assert (report.verdict, runner.opened) == (Verdict.STILL_FAILS, 2)  # the second is the control
    assert "fell silent" in report.message


def test_a_machine_that_stays_broken_is_no_verdict(validator, runner) -> None:
    runner.broken = 10_000
    with pytest.raises(EnvironmentUnusableError, match="the engine is gone"):
        validator.validate([returning("a + b")])


def test_a_workspace_that_cannot_be_written_is_made_anew(validator, monkeypatch) -> None:
    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise EnvironmentUnusableError("cannot restore calc.py: no space left on device")

    monkeypatch.setattr("validation.workspace.Workspace._restore", fail)
    (report,) = validator.validate([returning("a + b")])
    assert report.verdict is Verdict.PLAUSIBLE
    (report,) = validator.validate([Patch()])
    assert report.verdict is Verdict.STILL_FAILS


def test_closing_does_not_wait_for_a_candidate(validator) -> None:
    sleeping = returning("time.sleep(600)")
    errors: list[BaseException] = []

    def validate() -> None:
        try:
            validator.validate([sleeping])
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=validate)
    thread.start()
    time.sleep(1.0)
    validator.__exit__(None, None, None)
    thread.join(timeout=20)
    assert not thread.is_alive()
