"""`apr bench check`: a bug counts when its tests fail alone and pass with the reference patch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apr.bench.check import BugCheck, judge_check, total
from apr.core.bug import TestId
from apr.core.report import Baseline, Stage, TestOutcome, TestResult, ValidationReport, Verdict
from support.e2e import Apr

pytestmark = pytest.mark.usefixtures("plain_python")

PROGRAM = "def double(n):\n    return n + 2\n"
TESTS = """\
import shop

def test_two():
    assert shop.double(2) == 4

def test_five():
    assert shop.double(5) == 10
"""
RIGHT = """\
--- a/shop.py
+++ b/shop.py
@@ -1,2 +1,2 @@
 def double(n):
-    return n + 2
+    return n * 2
"""
PATCHES = {
    "right": RIGHT,
    "breaks": RIGHT.replace("n * 2", "2 * n if n > 2 else 0"),
    "stale": RIGHT.replace("n + 2", "n + 3"),
    "none": None,
}


@pytest.fixture(scope="module")
def bugs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bug with one reference patch each, and one that nothing shows."""
    root = tmp_path_factory.mktemp("bugs")
    for name, patch in {**PATCHES, "mended": RIGHT}.items():
        subject = root / name / "subject"
        subject.mkdir(parents=True)
        (subject / "pytest.ini").write_text("[pytest]\n")
        text = PROGRAM.replace("n + 2", "n * 2") if name == "mended" else PROGRAM
        (subject / "shop.py").write_text(text)
        (subject / "test_shop.py").write_text(TESTS)
        lines = ['subject = "subject"']
        if patch is not None:
            (root / name / "reference.patch").write_text(patch)
            lines.append('reference_patch = "reference.patch"')
        (root / name / "bug.toml").write_text("\n".join(lines) + "\n")
    return root


def test_only_bugs_that_can_judge_patches_count(bugs: Path, tmp_path: Path) -> None:
    apr = Apr(tmp_path)
    words = ("bench", "check", "folder", "--root", bugs, "--output", tmp_path / "out")
    words = (*words, "--sandbox", "process", "--repeats", "2", "--workers", "2")
    done = apr(*words, "--format", "json")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    found = {each["bug"]: each for each in document["bugs"]}
    assert {name: each["verdict"] for name, each in found.items()} == {
        "right": "sound",
        "breaks": "reference-fails",
        "stale": "reference-fails",
        "none": "unusable",
        "mended": "not-reproduced",
    }
    assert (found["right"]["triggers"], found["right"]["regressions"]) == (1, 1)
    assert found["breaks"]["disagreeing"] == ["test_shop.py::test_two"]
    assert "does-not-apply" in found["stale"]["message"]
    assert document["totals"]["all_count"] is False
    assert len(done.stderr.splitlines()) == 5

    again = apr(*words, "--format", "markdown", "--only", "right")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1] == "1 of 1 bug count"
    assert "| right | sound | 1 | 1 |" in again.stdout


def test_what_the_machine_cannot_say_is_an_error_and_flaky_tests_are_named() -> None:
    steady, shaky = TestId("steady"), TestId("shaky")
    failing = TestResult(TestId("trigger"), TestOutcome.FAILED)
    baseline = Baseline((failing,), (steady,), (shaky,), (), {}, 0.1, 5)
    plausible = ValidationReport(Verdict.PLAUSIBLE, Stage.CONFIRM, flaky=(shaky, steady))
    assert judge_check("a", baseline, plausible).flaky == (shaky, steady)
    unsure = ValidationReport(Verdict.INCONCLUSIVE, Stage.FULL, message="the sandbox died")
    check = judge_check("b", baseline, unsure)
    assert (check.verdict, check.counts) == ("error", False)
    assert "the sandbox died" in check.message
    totals = total([judge_check("a", baseline, plausible), check, BugCheck("c", "sound")])
    assert (totals.bugs, totals.verdicts, totals.flaky) == (3, {"sound": 2, "error": 1}, 1)
    assert not totals.all_count
