"""Workers, distributed runs, cancelling and tidying up: nonsense is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.e2e import BUGS, Apr

SUBJECT = BUGS / "off_by_one" / "subject"


@pytest.fixture
def apr(tmp_path: Path) -> Apr:
    return Apr(tmp_path)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("worker",), "there is no broker: set APR_BROKER_URL"),
        (("worker", "--queues", "runs,cooking"), "there is no queue 'cooking'"),
        (("worker", "--log-level", "loud"), "--log-level loud"),
        (("fix", SUBJECT, "--distributed"), "there is no broker: set APR_BROKER_URL"),
        (("fix", SUBJECT, "--distributed", "--priority", 10), "priority"),
        (("cancel", "last"), "there is no run yet"),
        (("gc", "--days", -1), "days"),
    ],
)
def test_nonsense_is_bad_input(apr: Apr, argv: tuple[object, ...], said: str) -> None:
    done = apr(*argv)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_broker_that_does_not_answer_leaves_no_run_waiting(apr: Apr) -> None:
    url = "redis://:secret@127.0.0.1:1/0"
    done = apr("fix", SUBJECT, "--distributed", APR_BROKER_URL=url)
    assert done.returncode == 3
    assert "the broker cannot be reached" in done.stderr
    assert "secret" not in done.stderr


def test_old_runs_are_counted_and_then_deleted(apr: Apr) -> None:
    assert apr("fix", SUBJECT, "--candidates", 1, "--confirmations", 1).returncode in (0, 1)
    assert json.loads(apr("gc", "--format", "json").stdout)["runs"] == 0
    dry = json.loads(apr("gc", "--days", 0, "--dry-run", "--format", "json").stdout)
    assert (dry["runs"], dry["deleted"]) == (1, False)
    assert apr("gc", "--days", 0).stdout.startswith("1 run and ")
    assert json.loads(apr("runs", "--format", "json").stdout)["runs"] == []
