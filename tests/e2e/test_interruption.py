"""A run that is stopped at any moment goes on where it was and ends with the same tree."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from support.e2e import BUGS, Apr, nodes_saved, tree_of

BUDGET = ("--candidates", 80, "--seed", 3, "--format", "json", "--policy", "mcts")
ENOUGH = 5  # nodes to have something to go on from; a busy machine may notice much later


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, request) -> list[dict]:
    apr = Apr(tmp_path_factory.mktemp("undisturbed"))
    done = apr("fix", BUGS / "two_edits" / "subject", *BUDGET)
    assert done.returncode in (0, 1), done.stderr
    return tree_of(apr)


def stop(apr: Apr, data: Path, subject: Path, number: signal.Signals) -> int:
    """Start a run and end it by a signal when it has saved some nodes; its exit status."""
    return apr.stop_after(lambda: nodes_saved(data) > ENOUGH, number, "fix", subject, *BUDGET)


def assert_resumes(apr: Apr, undisturbed: list[dict]) -> None:
    resumed = apr("resume", "last", "--format", "json")
    assert resumed.returncode in (0, 1), resumed.stderr
    assert tree_of(apr) == undisturbed
    assert len(json.loads(apr("runs", "--format", "json").stdout)["runs"]) == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_run_resumes_to_the_same_tree(
    apr, tmp_path: Path, undisturbed, number: signal.Signals, status: int
) -> None:
    data = tmp_path / "data"
    assert stop(apr, data, BUGS / "two_edits" / "subject", number) == status
    assert ENOUGH < nodes_saved(data) < len(undisturbed)
    assert_resumes(apr, undisturbed)


def test_a_changed_subject_is_not_resumed_until_it_is_as_it_was(
    apr, copy_bug, tmp_path: Path, undisturbed
) -> None:
    subject = copy_bug("two_edits")
    assert stop(apr, tmp_path / "data", subject, signal.SIGTERM) == 130
    source = next(subject.glob("*.py"))
    text = source.read_text()
    source.write_text(text + "\n# edited meanwhile\n")
    resumed = apr("resume", "last")
    assert resumed.returncode == 2
    assert "has changed since" in resumed.stderr
    source.write_text(text)
    assert_resumes(apr, undisturbed)
