"""Tests that pass now and then: told by counts in the baseline, attributed in a confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import EnvironmentUnusableError, NotReproducedError
from apr.core.patch import Patch, diff_texts
from apr.core.report import Execution, Stage, TestOutcome, TestResult, ValidationReport, Verdict
from validation.baseline import Reproduction, reproduce
from validation.flakiness import (
    Culprit,
    Trial,
    ask_alone,
    ask_in_company,
    count_passes,
    flaky_tests,
)
from validation.plan import ValidationSettings
from validation.runners import base
from validation.runners.session import OnResult
from validation.validator import StagedValidator

A, B = TestId("a"), TestId("b")
LIMITS = base.RunLimits(test_s=5.0, total_s=60.0)


def execution(**outcomes: str) -> Execution:
    results = tuple(TestResult(TestId(t), TestOutcome(o)) for t, o in outcomes.items())
    status = int(any(result.outcome.is_failure for result in results))
    return Execution(results, status, completed=True, duration_s=0.1)


def test_passes_are_counted_and_an_absent_test_is_flaky() -> None:
    executions = [execution(a="passed", b="failed"), execution(a="passed", b="error", c="passed")]
    assert count_passes(executions) == {"a": 2, "b": 0, "c": 1}
    assert flaky_tests(executions) == ("c",)


def test_a_skip_and_a_pass_contradict_each_other() -> None:
    assert flaky_tests([execution(a="passed"), execution(a="skipped")]) == (A,)


def script(
    base_answers: Sequence[Execution], patched: Sequence[Execution]
) -> Callable[..., Execution]:
    """Answers in turn, for the base and for the patched program."""
    left = {True: list(base_answers), False: list(patched)}
    return lambda on_base, tests: left[on_base].pop(0)


def test_one_failure_on_the_base_clears_the_patch() -> None:
    good, bad = execution(a="passed"), execution(a="failed")
    (trial,) = ask_alone([Trial(A, 1, 2)], script([good, bad], [bad, good]))
    assert (trial.base_failures, trial.base_runs, trial.culprit) == (1, 2, Culprit.BASE)


def test_a_failure_that_only_the_patch_shows_again_is_the_patchs() -> None:
    good, bad = execution(a="passed"), execution(a="failed")
    (trial,) = ask_alone([Trial(A, 1, 2)], script([good] * 5, [good, bad, good, good, good]))
    assert (trial.patched_failures, trial.culprit) == (1, Culprit.PATCH)


def test_a_failure_that_never_comes_again_is_nobodys() -> None:
    good = execution(a="passed")
    trials = ask_alone([Trial(A, 1, 2)], script([good] * 5, [good] * 5))
    (trial,) = ask_in_company(trials, script([good] * 2, []))
    assert (trial.base_runs, trial.culprit) == (7, Culprit.UNKNOWN)


def test_a_failure_in_every_confirmation_is_the_patchs_even_if_it_passes_alone() -> None:
    good = execution(a="passed")
    trials = ask_alone([Trial(A, 2, 2)], script([good] * 5, [good] * 5))
    (trial,) = ask_in_company(trials, script([good] * 2, []))
    assert trial.culprit is Culprit.PATCH


def test_a_test_that_fails_on_the_base_only_among_the_others_is_flaky() -> None:
    good, bad = execution(a="passed", b="passed"), execution(a="failed", b="passed")
    trials = ask_alone([Trial(A, 1, 2)], script([good] * 5, [good] * 5))
    (trial,) = ask_in_company(trials, script([bad], []))
    assert trial.culprit is Culprit.BASE


def test_a_base_that_reports_nothing_does_not_clear_the_patch() -> None:
    good, silent = execution(a="passed"), execution(b="passed")
    (trial,) = ask_alone([Trial(A, 2, 2)], script([silent] * 5, [good] * 5))
    assert (trial.base_runs, trial.culprit) == (0, Culprit.PATCH)


# --- with a real runner


class Ticking:
    """A runner that numbers its complete executions in a file that the subject's tests read."""

    def __init__(self, runner: base.TestRunner) -> None:
        self._runner = runner
        self.can_select = runner.can_select
        self.is_particular = runner.is_particular
        self.open = runner.open
        self.ticks = 0

    def run(
        self,
        workspace: Path,
        limits: base.RunLimits,
        *,
        tests: Sequence[TestId] | None = None,
        coverage: bool = False,
        write_bytecode: bool = False,
        on_result: OnResult | None = None,
        guard: base.Guard | None = None,
    ) -> tuple[Execution, CoverageMatrix | None]:
        self.ticks += 1
        (workspace / "tick.txt").write_text(str(self.ticks))
        return self._runner.run(
            workspace,
            limits,
            tests=tests,
            coverage=coverage,
            write_bytecode=write_bytecode,
            on_result=on_result,
            guard=guard,
        )


SOURCE = """def add(a, b):
    return a - b


def clock():
    return int(open('tick.txt').read())
"""
BAD = "def test_bad():\n    assert calc.add(1, 2) == 3\n\n\n"
HEAD = "import random\n\nimport calc\n\n\n"
RANDOM = "def test_random():\n    assert random.Random(calc.clock()).random() < LIMIT\n"
TIMED = "def test_timed():\n    assert calc.clock() % 3\n"
SHUFFLED = """def pytest_collection_modifyitems(items):
    if int(open('tick.txt').read()) == 2:
        items.reverse()
"""
ORDERED = """log = []


def test_first():
    assert not log


def test_marks():
    log.append(1)
"""


def measure(make_subject, files: dict[str, str]) -> tuple[Reproduction, Ticking, Path]:
    subject = make_subject({"calc.py": SOURCE, "tick.txt": "0", **files})
    runner = Ticking(subject.runner)
    found = reproduce(subject.bug, runner, subject.workspace, LIMITS)
    return found, runner, subject.workspace.root


@pytest.mark.parametrize(
    ("name", "files", "passes"),
    [
        # random.Random(n).random() for n in 1..5: .134 .956 .238 .236 .623
        ("test_random", {"test_x.py": HEAD + BAD + RANDOM.replace("LIMIT", "0.5")}, 3),
        ("test_first", {"test_x.py": HEAD + BAD + ORDERED, "conftest.py": SHUFFLED}, 4),
    ],
    ids=["random", "order"],
)
def test_a_disagreement_is_followed_by_more_repeats_and_told_by_counts(
    make_subject, name: str, files: dict[str, str], passes: int
) -> None:
    baseline = measure(make_subject, files)[0].baseline
    flaky = f"test_x.py::{name}"
    assert (baseline.flaky, baseline.repeats) == ((flaky,), 5)
    assert baseline.passes[TestId(flaky)] == passes
    assert baseline.trigger_tests == ("test_x.py::test_bad",)
    assert baseline.passes[TestId("test_x.py::test_bad")] == 0


def test_without_disagreement_there_are_no_more_repeats(make_subject) -> None:
    found, runner, _ = measure(make_subject, {"test_x.py": HEAD + BAD})
    assert (found.baseline.repeats, runner.ticks) == (2, 2)


def test_a_trigger_that_flickers_is_not_reproduced_and_its_odds_are_told(make_subject) -> None:
    with pytest.raises(NotReproducedError, match="test_timed passed 4 of 5 times"):
        measure(make_subject, {"test_x.py": HEAD + TIMED.replace("% 3", "!= 2")})


@pytest.mark.parametrize(("after", "missing"), [("def test_after():\n    pass\n", 1), ("", 0)])
def test_a_suite_that_does_not_end_in_time_is_no_oracle(
    make_subject, after: str, missing: int
) -> None:
    """Even when its last test is the one that is cut off: nobody knows whether that one hangs."""
    tests = f"import time\n\n\ndef test_slow():\n    time.sleep(60)\n\n\n{after}"
    subject = make_subject({"calc.py": SOURCE, "test_x.py": tests})
    limits = base.RunLimits(test_s=30.0, total_s=3.0)
    with pytest.raises(EnvironmentUnusableError, match=rf"{missing} of .* were not run.* 3 s"):
        reproduce(subject.bug, subject.runner, subject.workspace, limits)


def confirm(make_subject, tests: str, new: str) -> tuple[ValidationReport, Ticking]:
    """The confirmation of the patch that makes `add` return `new`."""
    found, runner, root = measure(make_subject, {"test_x.py": HEAD + BAD + tests})
    patched = SOURCE.replace("return a - b", f"return {new}")
    patch = diff_texts({"calc.py": SOURCE}, {"calc.py": patched})
    assert patch != Patch()
    settings = ValidationSettings(limits=LIMITS, floor_s=1.0)
    validator = StagedValidator(
        runner, root, found.baseline, found.matrix, settings, can_protect=True
    )
    # Only the confirmation is of interest: its executions are numbered from 3 on.
    return validator.confirm(patch), runner


def test_a_test_that_is_flaky_on_the_base_is_left_out_and_named(make_subject) -> None:
    # Fails in executions 3 and, on the base alone, 5: the first one after the confirmations.
    tests = "def test_timed():\n    assert calc.clock() not in (3, 5)\n"
    report, _ = confirm(make_subject, tests, "a + b")
    assert (report.verdict, report.stage) == (Verdict.PLAUSIBLE, Stage.CONFIRM)
    assert (report.confirmations, report.flaky) == (2, ("test_x.py::test_timed",))
    assert "1 of 1 times without it" in report.message


def test_a_test_that_fails_again_only_with_the_patch_is_a_regression(make_subject) -> None:
    # The patch makes every third execution fail, the base none.
    tests = "def test_timed():\n    assert calc.add(3, 1) == 2 or calc.clock() % 3\n"
    report, _ = confirm(make_subject, tests, "a + b")
    assert (report.verdict, report.flaky) == (Verdict.REGRESSES, ())


def test_a_failure_that_cannot_be_attributed_is_inconclusive(make_subject) -> None:
    tests = "def test_timed():\n    assert calc.clock() != 3\n"
    report, runner = confirm(make_subject, tests, "a + b")
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "failed 1 of 2 times" in report.message
    assert runner.ticks == 2 + 2 + 10 + 2


def test_a_trigger_must_pass_every_time(make_subject) -> None:
    report, _ = confirm(make_subject, "", "a + b if clock() == 3 else a - b")
    assert (report.verdict, report.confirmations) == (Verdict.STILL_FAILS, 2)
