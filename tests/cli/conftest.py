"""Builders of runs and trees, and a command line that keeps its data in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from apr.cli.main import app
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Hunk, Patch, render_diff
from apr.core.report import (
    Baseline,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)
from apr.core.run import Budget, RankedPatch, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode, SearchTree
from apr.results.details import RunDetails

SOURCE = "def f(a):\n    if a < 1:\n        return 0\n    return a\n"


@pytest.fixture
def apr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command line in this process."""
    monkeypatch.setenv("APR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("APR_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def source() -> str:
    """The text of `m.py`, which the patches change."""
    return SOURCE


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RepairRun]:
    """A run with defaults."""

    def make(**changes: Any) -> RepairRun:
        fields: dict[str, Any] = {
            "id": "260101-120000-abcdef",
            "bug": Bug(str(tmp_path), TestCommand(RunnerKind.PYTEST, ("tests",)), name="shop"),
            "settings": {"formula": "ochiai", "sandbox": "process"},
            "seed": 3,
            "status": RunStatus.EXHAUSTED,
            "budget": Budget(candidates=100, seconds=60.0),
            "usage": Usage(candidates=12, validations=10, seconds=4.0),
            "created_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
        }
        return RepairRun(**(fields | changes))

    return make


def make_node(node_id: int, parent: int | None, verdict: Verdict, **changes: Any) -> SearchNode:
    report = ValidationReport(
        verdict, Stage.FULL, triggers_passed=1, triggers_total=2, regressions_total=5
    )
    patch = Patch((Hunk("m.py", 2, ("    if a < 1:\n",), (f"    if a < {node_id}:\n",)),))
    defaults = {"origin": f"template-{node_id}", "report": report, "visits": 1}
    return SearchNode(node_id, parent, **({"patch": patch} | defaults | changes))


@pytest.fixture
def node() -> Callable[..., SearchNode]:
    """A search node with defaults: id, parent, verdict."""
    return make_node


@pytest.fixture
def tree() -> SearchTree:
    """The root, two children that fail, and a plausible grandchild (node 3) below the second."""
    tree = SearchTree()
    tree.add(SearchNode(0, None, Patch(), visits=3, total_value=1.5))
    tree.add(make_node(1, 0, Verdict.STILL_FAILS, reward=0.9, total_value=0.9))
    tree.add(make_node(2, 0, Verdict.REGRESSES, reward=-0.5, total_value=-0.5))
    plausible = ValidationReport(
        Verdict.PLAUSIBLE,
        Stage.CONFIRM,
        triggers_passed=2,
        triggers_total=2,
        regressions_run=5,
        regressions_total=5,
        confirmations=2,
        flaky=(TestId("t.py::late"),),
    )
    tree.add(make_node(3, 2, Verdict.PLAUSIBLE, reward=1.0, total_value=1.0, report=plausible))
    return tree


@pytest.fixture
def details(make_run: Callable[..., RepairRun], tree: SearchTree) -> RunDetails:
    """A run that succeeded with node 3 of the tree."""
    diff = render_diff(tree.nodes[3].patch, {"m.py": SOURCE})
    failing = TestResult(
        TestId("t.py::a"), TestOutcome.FAILED, message="\nAssertionError: 1 == 2\n"
    )
    baseline = Baseline(
        failing=(failing, TestResult(TestId("t.py::b\x1b[2J"), TestOutcome.ERROR)),
        passing=tuple(TestId(f"t.py::p{index}") for index in range(5)),
        flaky=(TestId("t.py::flaky"),),
        skipped=(),
        durations_s={},
        duration_s=1.0,
        repeats=5,
        passes={TestId("t.py::flaky"): 3},
    )
    suspects = (SuspiciousLocation(Location("m.py", 2, 2), 1.0, "ochiai", "f"),)
    ranked = (RankedPatch(3, 1, diff, "template-3"),)
    run = make_run(status=RunStatus.SUCCEEDED, message="plausible", patches=ranked)
    return RunDetails(run, baseline, suspects, tree)
