"""A run that is stopped at any moment goes on where it was and ends with the same tree."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from support.e2e import BUGS, Apr

BUDGET = ("--candidates", 120, "--seed", 3, "--format", "json", "--policy", "mcts")


def nodes_saved(data: Path) -> int:
    try:
        with sqlite3.connect(f"file:{data}/apr.db?mode=ro", uri=True, timeout=5) as db:
            return int(db.execute("select count(*) from nodes").fetchone()[0])
    except sqlite3.Error:
        return 0


def tree_of(apr: Apr, run: str = "last") -> list[dict]:
    """The run's nodes without what may differ between executions: time."""
    nodes = json.loads(apr("tree", run, "--format", "json").stdout)["nodes"]
    for node in nodes:
        if node.get("report"):
            for timed in ("duration_s", "results", "message"):
                node["report"].pop(timed, None)
        node.pop("duration_s", None)
    return nodes


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, request) -> list[dict]:
    apr = Apr(tmp_path_factory.mktemp("undisturbed"))
    done = apr("fix", BUGS / "two_edits" / "subject", *BUDGET)
    assert done.returncode in (0, 1), done.stderr
    return tree_of(apr)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)],
)
def test_a_stopped_run_resumes_to_the_same_tree(
    apr, tmp_path: Path, undisturbed, number: signal.Signals, status: int
) -> None:
    subject = BUGS / "two_edits" / "subject"
    data = tmp_path / "data"
    code = apr.stop_after(lambda: nodes_saved(data) > 20, number, "fix", subject, *BUDGET)
    assert code == status
    saved = nodes_saved(data)
    assert 20 < saved < len(undisturbed)
    resumed = apr("resume", "last", "--format", "json")
    assert resumed.returncode in (0, 1), resumed.stderr
    assert tree_of(apr) == undisturbed
    assert len(json.loads(apr("runs", "--format", "json").stdout)["runs"]) == 1


def test_a_changed_subject_is_not_resumed(apr, copy_bug, tmp_path: Path) -> None:
    subject = copy_bug("two_edits")
    data = tmp_path / "data"
    apr.stop_after(lambda: nodes_saved(data) > 20, signal.SIGINT, "fix", subject, *BUDGET)
    source = next(subject.glob("*.py"))
    source.write_text(source.read_text() + "\n# edited meanwhile\n")
    resumed = apr("resume", "last")
    assert resumed.returncode == 2
    assert "has changed since" in resumed.stderr
