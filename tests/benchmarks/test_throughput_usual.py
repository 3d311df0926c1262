"""What the usual harness's report is taken to say: the other half of "verdicts identical"."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from apr.core.bug import TestId
from apr.core.report import Baseline, TestOutcome, TestResult, Verdict
from support.scripts import load_script

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "throughput_usual.py"
SUITE = """
import pytest

class TestShape:
    @pytest.mark.parametrize("text", ["a::b", "[x]", "plain"])
    def test_text(self, text):
        assert text

@pytest.fixture
def breaks_later():
    yield
    raise ValueError("in tear-down")

def test_then_breaks(breaks_later):
    pass

def test_skipped():
    pytest.skip("not here")

def test_fails():
    assert False
"""


@pytest.fixture(scope="module")
def usual() -> ModuleType:
    return load_script(SCRIPT)


def test_every_node_id_is_found_in_the_report_of_a_real_suite(
    usual: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "tests" / "deep"
    folder.mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_shapes.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-v", "--junitxml=report.xml", "-p", "no:xdist"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120).stdout
    ids = [
        line.split(" ")[0]
        for line in said.splitlines()
        if line.startswith("tests/deep/test_shapes.py::")
    ]
    outcomes = usual.parse_report((tmp_path / "report.xml").read_bytes())
    by_name = {test.partition("::")[2]: outcomes[usual.address(TestId(test))] for test in ids}
    assert by_name == {
        "TestShape::test_text[a::b]": TestOutcome.PASSED,
        "TestShape::test_text[[x]]": TestOutcome.PASSED,
        "TestShape::test_text[plain]": TestOutcome.PASSED,
        "test_then_breaks": TestOutcome.ERROR,
        "test_skipped": TestOutcome.SKIPPED,
        "test_fails": TestOutcome.FAILED,
    }


@pytest.mark.parametrize(
    ("trigger", "regression", "verdict"),
    [
        ("passed", "passed", Verdict.PLAUSIBLE),
        ("failed", "passed", Verdict.STILL_FAILS),
        ("skipped", "passed", Verdict.STILL_FAILS),
        ("passed", "error", Verdict.REGRESSES),
        ("passed", None, Verdict.REGRESSES),
        (None, "passed", Verdict.STILL_FAILS),
    ],
)
def test_triggers_are_judged_before_regressions_and_absence_is_no_pass(
    usual: ModuleType, trigger: str | None, regression: str | None, verdict: Verdict
) -> None:
    baseline = Baseline(
        failing=(TestResult(TestId("t.py::bad"), TestOutcome.FAILED),),
        passing=(TestId("t.py::good"),),
        flaky=(),
        skipped=(),
        durations_s={},
        duration_s=1.0,
        repeats=2,
    )
    said = {("t", "bad"): trigger, ("t", "good"): regression}
    outcomes = {key: TestOutcome(word) for key, word in said.items() if word is not None}
    assert usual.verdict_of(baseline, outcomes) is verdict
