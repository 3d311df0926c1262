"""Processes that fight for a run, and one that is killed while it writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.storage.engine import make_engine, reading
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 1, 1, tzinfo=UTC)

CLAIM = """
import sys
from apr.storage.engine import make_engine
from apr.storage.store import SqlRunStore
store = SqlRunStore(make_engine(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(store.claim("r", sys.argv[2], 60))
"""

WRITE_FOREVER = """
import sys
from apr.core.patch import Hunk, Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.storage.engine import make_engine
from apr.storage.store import SqlRunStore
store = SqlRunStore(make_engine(sys.argv[1]))
report = ValidationReport(Verdict.STILL_FAILS, Stage.TRIGGER)
store.save_nodes("r", [SearchNode(0, None, Patch())])
for first in range(1, 10**6, 5):
    numbers = range(first, first + 5)
    patches = [Patch((Hunk("a.py", n, ("old\\n",), ("new\\n",)),)) for n in numbers]
    pairs = zip(numbers, patches)
    store.save_nodes("r", [SearchNode(n, 0, patch, report=report) for n, patch in pairs])
    print(first + 4, flush=True)
"""


def make_run(run_id: str = "r", created_at: datetime = START) -> RepairRun:
    bug = Bug("/subject", TestCommand(RunnerKind.PYTEST))
    return RepairRun(run_id, bug, {}, 1, RunStatus.QUEUED, Budget(), Usage(), created_at)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/apr.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


def open_store(url: str) -> tuple[Engine, SqlRunStore]:
    engine = make_engine(url)
    ensure_schema(engine)
    return engine, SqlRunStore(engine)


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_two_processes_claiming_a_run_one_wins(url: str) -> None:
    engine, store = open_store(url)
    store.create_run(make_run())
    processes = [start(CLAIM, url, owner) for owner in ("a", "b")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert sorted(process.communicate()[0] for process in processes) == ["False\n", "True\n"]
    engine.dispose()


def test_a_killed_writer_loses_no_committed_node(url: str) -> None:
    engine, store = open_store(url)
    store.create_run(make_run())
    with start(WRITE_FOREVER, url) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
    tree = store.load_tree("r")
    assert len(tree) > told[-1]
    assert len(tree) % 5 == 1  # the root and whole batches only
    assert len(store.load_reports("r")) == len(tree) - 1
    engine.dispose()


def test_deleting_a_run_takes_its_rows_along(url: str) -> None:
    engine, store = open_store(url)
    store.create_run(make_run())
    store.append_event("r", "k", {})
    store.save_artifact("r", "log", b"x")
    store.claim("r", "a", 1)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM runs"))
        for table in ("events", "artifacts", "leases", "candidates"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
    engine.dispose()


def test_equal_artifacts_are_stored_once_and_compressed(url: str) -> None:
    engine, store = open_store(url)
    store.create_run(make_run())
    for name in ("a", "b"):
        store.save_artifact("r", name, b"line\n" * 10_000)
    with reading(engine) as connection:
        blobs = connection.execute(text("SELECT size, length(compressed) FROM blobs")).all()
    assert [size for size, _ in blobs] == [50_000]
    assert blobs[0][1] < 1_000
    engine.dispose()


def test_the_outbox_holds_events_until_they_are_published(url: str) -> None:
    engine, store = open_store(url)
    for number in (1, 2):
        store.create_run(make_run(f"r{number}", START + timedelta(seconds=number)))
    made = [store.append_event(run_id, "k", {}) for run_id in ("r1", "r2", "r1")]
    assert store.unpublished_events() == [("r1", made[0]), ("r2", made[1]), ("r1", made[2])]
    store.mark_published("r1", up_to=1)
    assert store.unpublished_events(limit=1) == [("r2", made[1])]
    engine.dispose()
