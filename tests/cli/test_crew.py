"""Worker processes that end before their time cost one bug's record, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from apr.bench.records import BugRecord, Protocol
from apr.cli.crew import Task, run_side_by_side
from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.run import Budget
from apr.datasets.dataset import Dataset
from apr.settings import RunSettings

PROTOCOL = Protocol(RunSettings(sandbox="process"), Budget(4, 20.0), 0)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Two bugs that one edit mends."""
    monkeypatch.setenv("APR_DATA_DIR", str(tmp_path / "data"))
    command = TestCommand(RunnerKind.PYTEST, (), sys.executable)
    bugs = []
    for name in ("first", "second"):
        subject = tmp_path / name
        subject.mkdir()
        (subject / "m.py").write_text("def f(a):\n    return a + 1\n")
        (subject / "test_m.py").write_text(
            "from m import f\n\ndef test_f():\n    assert f(1) == 0\n"
        )
        (subject / "pytest.ini").write_text("[pytest]\n")
        bugs.append(Bug(str(subject), command, name=name))
    return [Task(bug, PROTOCOL) for bug in bugs]


def children() -> set[int]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return {int(number) for number in path.read_text().split()}


def workers(pids: set[int]) -> list[int]:
    return [p for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_a_worker_that_is_killed_is_an_error_of_its_bug(tasks: list[Task]) -> None:
    found: list[tuple[str, BugRecord]] = []
    before = children()
    killed: set[int] = set()

    def keep(task: Task, record: BugRecord) -> None:
        found.append((task.bug.name, record))

    def tell(busy: Sequence[Task]) -> None:
        # A child that has not yet become another program still has this one's command line.
        while busy and not killed:
            for pid in workers(children() - before):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    run_side_by_side(tasks, Dataset("tiny", tuple(t.bug for t in tasks)), 1, keep, tell)
    assert [name for name, _ in found] == ["first", "second"]
    assert (found[0][1].verdict, found[0][1].message) == (
        "error",
        "the worker process was ended by signal 9",
    )
    assert found[1][1].verdict == "plausible"
    assert not {pid for pid in children() - before if _is_worker(pid)}


def _is_worker(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
