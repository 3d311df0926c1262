"""A machine that breaks while patches are judged delays verdicts; it never becomes one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind
from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.oracle import Oracle, Staging
from apr.core.patch import Patch, diff_texts
from apr.core.report import Verdict
from apr.storage.oracle import decode_oracle, encode_oracle
from validation.baseline import reproduce
from validation.plan import ValidationSettings
from validation.runners import base, session
from validation.runners.command import CommandRunner
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.process import ProcessSandbox
from validation.validator import StagedValidator

SOURCE = "import time\n\n\ndef add(a, b):\n    return a - b\n"
TESTS = "import calc\n\n\ndef test_sum():\n    assert calc.add(1, 2) == 3\n"


class Breaking:
    """A runner whose sessions cannot be opened while `broken` is above zero."""

    def __init__(self, runner: base.TestRunner) -> None:
        self._runner = runner
        self.can_select = runner.can_select
        self.is_particular = runner.is_particular
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


@pytest.mark.parametrize(
    ("silences", "verdict"), [(1, Verdict.PLAUSIBLE), (2, Verdict.STILL_FAILS)]
)
def test_a_server_that_falls_silent_twice_was_silenced_by_the_patch(
    validator, monkeypatch, silences: int, verdict: Verdict
) -> None:
    """The control in between is not silent. Once is too little: someone may have stopped it."""
    execute = session.TestServer.execute
    silent = [True, False] * silences  # each time, the unpatched program is tried next

    def fall_silent(server: session.TestServer, *arguments: object) -> object:
        if silent and silent.pop(0):
            raise session.SilentServerError("the test server fell silent")
        return execute(server, *arguments)

    monkeypatch.setattr(session.TestServer, "execute", fall_silent)
    (report,) = validator.validate([returning("a + b")])
    assert report.verdict is verdict
    assert ("fell silent" in report.message) == (silences == 2)


def test_a_confirmation_that_somebody_ends_is_run_again(validator, runner) -> None:
    run, ended = runner.run, []

    def end(workspace: Path, *arguments: object, **options: object) -> object:
        if "a + b" in (workspace / "calc.py").read_text() and len(ended) < 2:
            ended.append(workspace)
            raise EnvironmentUnusableError("the test process ended at once")
        return run(workspace, *arguments, **options)

    runner.run = end
    assert validator.confirm(returning("a + b")).verdict is Verdict.PLAUSIBLE
    assert len(ended) == 2


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


def test_command_that_somebody_kills_once_is_run_again(make_subject, tmp_path: Path) -> None:
    """The sandbox that protects nothing lets the command remember that it was killed before."""
    killed = tmp_path / "killed"
    killed.touch()
    script = f"[ -e {killed} ] || {{ touch {killed}; kill -9 $$; }}; python3 -B test_calc.py"
    tests = TESTS + "\n\ntest_sum()\n"
    subject = make_subject(
        {"calc.py": SOURCE, "test_calc.py": tests}, RunnerKind.COMMAND, ("sh", "-c", script)
    )
    runner = CommandRunner(subject.bug.test_command, ProcessSandbox(SandboxPolicy()))
    found = reproduce(subject.bug, runner, subject.workspace, base.RunLimits())
    with StagedValidator(
        runner,
        subject.workspace.root,
        found.baseline,
        None,
        ValidationSettings(floor_s=5.0),
        can_protect=False,
    ) as validator:
        for judge in (lambda patch: validator.validate([patch])[0], validator.confirm):
            killed.unlink()
            assert judge(returning("a + b")).verdict is Verdict.PLAUSIBLE
