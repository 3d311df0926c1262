"""`apr diff`: what two patches do differently, in words, in JSON and as tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.e2e import BUGS, Apr
from support.openai_server import answer, serving

SUBJECT = BUGS / "off_by_one" / "subject"
CORRECT = BUGS / "off_by_one" / "correct.patch"
OVERFITTING = BUGS / "off_by_one" / "overfitting.patch"
QUICKLY = ("--seconds", "15", "--confirm", "2", "--differences", "1", "-q")


@pytest.fixture
def apr(tmp_path: Path) -> Apr:
    return Apr(tmp_path)


def test_the_difference_is_told_and_its_test_proves_it(apr: Apr, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    options = ("--left", CORRECT, "--right", OVERFITTING, "--tests", folder, "--format", "json")
    done = apr("diff", SUBJECT, *options, *QUICKLY)
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert document["verdict"] == "divergent"
    (found,) = document["discrepancies"]
    assert found["test"]["proven"], found["test"]["text"]
    assert found["confirmed"] == 2
    assert found["outcomes"].keys() == {"left", "right"}
    assert document["coverage"]["left"]["reached"] > 0
    results = {
        patch: run_test(folder / "test_difference_1.py", patch, tmp_path / patch.stem)
        for patch in (CORRECT, OVERFITTING)
    }
    assert results == {CORRECT: 0, OVERFITTING: 1}


def run_test(file: Path, patch: Path, work: Path) -> int:
    """pytest's exit status on the written test, in a copy with the patch, as a user runs it."""
    shutil.copytree(SUBJECT, work)
    subprocess.run(["git", "apply", str(patch)], cwd=work, check=True)
    shutil.copy(file, work)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file.name]
    return subprocess.run(command, cwd=work, check=False, capture_output=True).returncode


def test_a_patch_is_compared_with_none(apr: Apr) -> None:
    done = apr("diff", SUBJECT, "--left", CORRECT, "--base", *QUICKLY)
    assert done.returncode == 1
    assert "left" in done.stdout
    assert "base" in done.stdout
    assert "which?" in done.stdout


def test_equal_patches_have_nothing_to_compare(apr: Apr) -> None:
    done = apr("diff", SUBJECT, "--left", CORRECT, "--right", CORRECT, *QUICKLY)
    assert done.returncode == 0
    assert "equivalent-as-far-as-tested" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--left", CORRECT), "nothing to compare"),
        (("--left", CORRECT, "--right", CORRECT, "--base"), "drop --right, or --base"),
        (("--left", CORRECT, "--right", "missing.patch"), "cannot be read"),
        (("--left", CORRECT, "--base", "--tests", CORRECT), "is no folder"),
        (("--left", CORRECT, "--base", "--test", "make check"), "pytest or unittest"),
        (("--right", CORRECT), "--left"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(apr: Apr, options, said: str) -> None:
    done = apr("diff", SUBJECT, *options, "-q")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_patch_that_does_not_fit_is_named(apr: Apr, tmp_path: Path) -> None:
    stale = tmp_path / "stale.patch"
    stale.write_text("--- a/moving.py\n+++ b/moving.py\n@@ -1 +1 @@\n-nothing like it\n+x\n")
    done = apr("diff", SUBJECT, "--left", CORRECT, "--right", stale, "-q")
    assert done.returncode == 2
    assert "the right patch does not fit the subject" in done.stderr


def test_the_help_says_what_the_exit_codes_mean(apr: Apr) -> None:
    said = " ".join(apr("diff", "--help").stdout.split())
    assert "0 when no difference was found" in said
    assert "1 when the patches behave differently" in said


def test_the_tests_of_a_model_join_those_of_the_suite(apr: Apr, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    text = (
        "```python\ndef test_many():\n    assert moving_sums([5, 1, 7, 2, 9], 3) == [13, 10, 18]\n"
    )
    with serving(lambda number, request: answer(request, text)) as server:
        done = apr(
            *("diff", SUBJECT, "--left", CORRECT, "--right", OVERFITTING, "--tests", folder),
            *("--model", "any", "--base-url", server.base_url, "--format", "json", *QUICKLY),
        )
    assert (done.returncode, done.stderr) == (1, "")
    written = json.loads(done.stdout)["written"]
    assert written["counts"] == {"differs": 1}
    assert written["differences"][0]["outcomes"] == {"left": "passed", "right": "failed"}
    results = {
        patch: run_test(folder / "test_written_1.py", patch, tmp_path / patch.stem)
        for patch in (CORRECT, OVERFITTING)
    }
    assert results == {CORRECT: 0, OVERFITTING: 1}


def test_a_server_without_a_model_is_refused(apr: Apr) -> None:
    url = "http://127.0.0.1:9/v1"
    done = apr("diff", SUBJECT, "--left", CORRECT, "--base", "--base-url", url, "-q")
    assert done.returncode == 2
    assert "add --model" in done.stderr
