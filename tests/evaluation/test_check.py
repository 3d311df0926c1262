"""`apr bench check swebench`: an instance counts by the official grading of both its versions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from apr.core.errors import EnvironmentUnusableError
from apr.datasets.swebench.instances import Instance, Prediction
from apr.datasets.swebench.local import required_packages
from apr.datasets.swebench.recipes import find_recipe
from apr.evaluation.check import EMPTY, F2P, GOLD, P2P, judge_pair
from apr.evaluation.outcome import Outcome, State
from apr.evaluation.report import Graded
from support.e2e import Apr
from support.tiny_repository import GOLD as RIGHT
from support.tiny_repository import make_repository

INSTANCE = Instance("a__b-1", "a/b", "1", "c", "patch", "", "", ("f",), ("p", "q"))


def graded(tool: str, passing: str, state: State = State.TESTED, reason: str = "") -> Graded:
    """A patch with which the tests named by one letter each pass."""
    status = {
        name: {
            "success": [test for test in tests if test in passing],
            "failure": [test for test in tests if test not in passing],
        }
        for name, tests in ((F2P, INSTANCE.fail_to_pass), (P2P, INSTANCE.pass_to_pass))
    }
    report = {"a__b-1": {"resolved": set("fpq") <= set(passing), "tests_status": status}}
    outcome = Outcome("key", state, reason, flaky=("p",) if tool == GOLD else ())
    return Graded(Prediction("a__b-1", tool, ""), outcome, report if state.is_verdict else None)


@pytest.mark.parametrize(
    ("empty", "gold", "verdict", "disagreeing"),
    [
        ("pq", "fpq", "sound", ()),
        ("p", "fpq", "sound", ("q",)),
        ("fpq", "fpq", "not-reproduced", ("f",)),
        ("pq", "fp", "reference-fails", ("q",)),
        ("pq", "q", "reference-fails", ("f", "p")),
    ],
)
def test_both_lists_have_to_hold(
    empty: str, gold: str, verdict: str, disagreeing: tuple[str, ...]
) -> None:
    check = judge_pair(INSTANCE, graded(EMPTY, empty), graded(GOLD, gold))
    assert (check.verdict, check.disagreeing) == (verdict, disagreeing)
    assert (check.triggers, check.regressions, check.flaky) == (1, 2, ("p",))


def test_broken_infrastructure_says_nothing_of_an_instance() -> None:
    broken = graded(GOLD, "", State.BROKEN, "the engine is gone")
    check = judge_pair(INSTANCE, graded(EMPTY, "pq"), broken)
    assert (check.verdict, check.message) == ("error", "the engine is gone")


def test_instances_are_checked_by_their_own_command(tmp_path: Path) -> None:
    row = make_repository(tmp_path / "clones")
    kinds = {
        "right": {},
        "wrong": {"patch": RIGHT.replace("n * 2", "n * 3")},
        "idle": {"FAIL_TO_PASS": [], "PASS_TO_PASS": ["test_shop.py::test_other"]},
    }
    rows = [{**row, "instance_id": f"tiny__shop-{n}", **more} for n, more in kinds.items()]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    apr = Apr(tmp_path)
    words = ("bench", "check", "swebench", "--dataset", tmp_path / "rows.json")
    words = (*words, "--repositories", tmp_path / "clones", "--output", tmp_path / "out")
    words = (*words, "--format", "json", "--sandbox", "process", "--workers", "2")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = apr(*words, "--python", sys.executable, **cache)
    assert done.returncode == 1, done.stderr
    found = {each["bug"][11:]: each["verdict"] for each in json.loads(done.stdout)["bugs"]}
    assert found == {"right": "sound", "wrong": "reference-fails", "idle": "reference-fails"}
    assert done.stderr.count("tiny__shop-") == 3
    again = apr(*words, "--python", sys.executable, **cache)
    assert (again.returncode, again.stdout, again.stderr) == (1, done.stdout, "")


def test_a_release_that_the_subject_pins_is_installed(tmp_path: Path) -> None:
    recipe = find_recipe("pylint-dev/pylint", "2.15")
    with pytest.raises(EnvironmentUnusableError, match="pins no release of astroid"):
        required_packages(recipe, tmp_path)
    pins = tmp_path / "requirements_test_min.txt"
    pins.write_text("-e .[testutil]\nastroid==2.11.6  # Pinned for tests\n")
    assert required_packages(recipe, tmp_path)[-1] == "astroid==2.11.6"
