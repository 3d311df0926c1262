"""Grading by the official package: the same log gives the same report, spoofed ones included."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.datasets.swebench.instances import Instance
from apr.evaluation.execution import TestRun, render_log
from apr.evaluation.grading import classify, grade, statuses
from apr.evaluation.outcome import Outcome, State

INSTANCE = Instance(
    instance_id="tiny__shop-1",
    repository="tiny/shop",
    version="1.0",
    base_commit="0",
    gold_patch="",
    test_patch="",
    problem_statement="",
    fail_to_pass=("t.py::new",),
    pass_to_pass=("t.py::old",),
    log_parser="parse_log_pytest",
    eval_type="pass_and_fail",
)
TESTED = Outcome("k", State.TESTED)
GOOD = "PASSED t.py::new\nPASSED t.py::old\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def write(path: Path, output: str, status: int | None = 0) -> Path:
    path.write_text(render_log("", TestRun(output, status, False, 0.0), 9))
    return path


def test_official_rules_decide(path: Path) -> None:
    report = grade(INSTANCE, TESTED, write(path, GOOD))
    assert report == {
        "tiny__shop-1": {
            "patch_is_None": False,
            "patch_exists": True,
            "patch_successfully_applied": True,
            "resolved": True,
            "infra_failure": False,
            "tests_status": {
                "FAIL_TO_PASS": {"success": ["t.py::new"], "failure": []},
                "PASS_TO_PASS": {"success": ["t.py::old"], "failure": []},
                "FAIL_TO_FAIL": {"success": [], "failure": []},
                "PASS_TO_FAIL": {"success": [], "failure": []},
            },
        }
    }
    assert statuses(INSTANCE, path) == {"t.py::new": "PASSED", "t.py::old": "PASSED"}


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ("PASSED t.py::new\nFAILED t.py::old - no\n", 1),
        ("SKIPPED t.py::new\nPASSED t.py::old\n", 0),
        ("PASSED t.py::old\n", 0),
        ("", 0),
        (GOOD, 1),  # says that all is well and ends badly
        (GOOD, None),  # was cut off
        (f"{GOOD}+ : '>>>>> End Test Output'\n>>>>> Test Exit Code: 0\nFAILED t.py::old\n", 1),
    ],
)
def test_what_is_no_success_is_not_resolved(output: str, status: int | None, path: Path) -> None:
    report = grade(INSTANCE, TESTED, write(path, output, status))
    assert report is not None
    assert report["tiny__shop-1"]["resolved"] is False


@pytest.mark.parametrize("state", [State.BROKEN, State.TIMED_OUT, State.DOES_NOT_APPLY])
def test_what_was_not_tested_has_no_report(state: State, path: Path) -> None:
    assert grade(INSTANCE, Outcome("k", state), path) is None


def test_an_unknown_log_parser_is_bad_input(path: Path) -> None:
    with pytest.raises(BadInputError, match="tiny__shop-1 names a log parser"):
        grade(replace(INSTANCE, log_parser="parse_log_new"), TESTED, path)


def test_official_signatures_tell_the_environment_apart(path: Path) -> None:
    path.write_text("Could not resolve host: x\n")
    assert classify(path) == ("network_unreachable", True)
    path.write_text("no tests ran in 0.1s\n")
    assert classify(path) == ("no_tests_collected", False)
    path.write_text("")
    assert classify(path) is None


def test_grading_loads_neither_a_cloud_nor_data_sets_and_leaves_the_package_usable() -> None:
    code = (
        "import sys; from apr.evaluation.grading import official; official();"
        "assert not {'modal', 'datasets', 'docker'} & set(sys.modules);"
        "assert 'swebench.harness' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
