"""A run on workers ends as it would have ended here, whatever happens to the workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apr.core.run import RunStatus
from support.e2e import BUGS, Apr, tree_of
from support.installation import Installation
from support.services import RedisServer
from support.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]
SUBJECT = BUGS / "two_edits" / "subject"
BUDGET = ("--candidates", 60, "--seed", 3, "--policy", "mcts", "--confirmations", 1, "--jobs", 1)
FIX = ("fix", SUBJECT, *BUDGET)
TIMES = frozenset({"duration_s", "seconds"})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any]]:
    """The finished command, and its tree."""
    apr = Apr(tmp_path_factory.mktemp("undisturbed"))
    done = apr(*FIX)
    assert done.returncode in (0, 1), done.stderr
    return done, tree_of(apr)


def nodes_of(installation: Installation, run_id: str) -> int:
    return len(installation.service.tree(run_id).nodes)


def submit(installation: Installation, *argv: object) -> tuple[subprocess.Popen[str], str]:
    """A command that follows a distributed run, and the run's id."""
    process = installation.apr.start(*(argv or FIX), "--distributed")
    until(lambda: installation.service.list_runs(limit=1))
    return process, installation.service.list_runs(limit=1)[0].id


def assert_ends_undisturbed(
    process: subprocess.Popen[str], installation: Installation, undisturbed: tuple[Any, list[Any]]
) -> None:
    expected, tree = undisturbed
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (expected.returncode, expected.stdout), stderr
    assert tree_of(installation.apr) == tree
    run = installation.service.list_runs()[0]
    assert run.usage.candidates == len(tree) - 1  # none lost, none counted twice
    sequences = [event.sequence for event in installation.service.store.events(run.id)]
    assert sequences == list(range(1, len(sequences) + 1))


def test_a_distributed_run_prints_what_an_embedded_one_prints(
    installation: Installation, undisturbed: tuple[Any, list[Any]]
) -> None:
    worker = installation.start_worker()
    process, _ = submit(installation)
    assert_ends_undisturbed(process, installation, undisturbed)
    nothing_to_fix = ("fix", BUGS / "two_edits" / "subject" / "tests", "--test", "true")
    here = installation.apr(*nothing_to_fix)
    there = installation.apr(*nothing_to_fix, "--distributed")
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout) == (2, "")
    assert there.stderr.splitlines()[-1] == here.stderr.splitlines()[-1]
    assert worker.stop() == 0


def test_a_run_goes_on_elsewhere_when_its_worker_stops(
    installation: Installation, undisturbed: tuple[Any, list[Any]]
) -> None:
    first = installation.start_worker()
    process, run_id = submit(installation)
    until(lambda: nodes_of(installation, run_id) > 5)
    assert first.stop(signal.SIGTERM, timeout_s=20) == 0
    assert installation.service.get_run(run_id).status is RunStatus.QUEUED
    assert 5 < nodes_of(installation, run_id) < len(undisturbed[1])
    installation.start_worker()
    assert_ends_undisturbed(process, installation, undisturbed)


def test_a_run_goes_on_when_its_process_is_killed(
    installation: Installation, undisturbed: tuple[Any, list[Any]]
) -> None:
    worker = installation.start_worker()
    process, run_id = submit(installation)
    until(lambda: nodes_of(installation, run_id) > 5)
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    assert_ends_undisturbed(process, installation, undisturbed)


def test_a_process_that_hangs_is_killed_and_leaves_nothing(
    installation: Installation,
    undisturbed: tuple[Any, list[Any]],
    processes_below: Callable[[int], list[int]],
) -> None:
    installation.apr.environment["APR_TASK_LIMIT_S"] = "5"
    worker = installation.start_worker()
    process, run_id = submit(installation)
    until(lambda: nodes_of(installation, run_id) > 5)
    (hung,) = worker.children()
    below = processes_below(hung)
    os.kill(hung, signal.SIGSTOP)
    assert_ends_undisturbed(process, installation, undisturbed)
    assert "Hard time limit" in worker.log.read_text()
    gone = {hung, *below}
    until(lambda: not gone & set(processes_below(os.getpid())), timeout_s=5)


def test_a_run_whose_message_is_lost_is_found_again(
    installation: Installation, redis_server: RedisServer, undisturbed: tuple[Any, list[Any]]
) -> None:
    process, run_id = submit(installation)
    until(lambda: installation.service.store.submission(run_id))
    until(lambda: redis_server.client().llen("runs\x06\x169"))
    redis_server.kill(data=True)
    redis_server.start()
    assert redis_server.client().dbsize() == 0
    installation.start_worker()
    assert_ends_undisturbed(process, installation, undisturbed)


def test_cancelling_ends_a_running_sandbox_within_two_seconds(
    installation: Installation, tmp_path: Path, processes_below: Callable[[int], list[int]]
) -> None:
    subject = tmp_path / "slow"
    subject.mkdir()
    (subject / "slow.py").write_text("def answer():\n    return 41\n")
    (subject / "test_slow.py").write_text(
        "import time\nfrom slow import answer\n\n"
        "def test_answer():\n    time.sleep(60)\n    assert answer() == 42\n"
    )
    worker = installation.start_worker()
    idle = set(processes_below(worker.process.pid))
    process, run_id = submit(installation, "fix", subject, "--test-timeout", 100)

    def sandboxed() -> set[int]:
        return set(processes_below(worker.process.pid)) - idle

    until(lambda: len(sandboxed()) >= 2)
    cancelled = installation.apr("cancel", run_id)
    began = time.monotonic()
    assert cancelled.returncode == 0, cancelled.stderr
    until(lambda: not sandboxed(), timeout_s=2)
    assert time.monotonic() - began <= 2
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert installation.service.get_run(run_id).status is RunStatus.CANCELLED
    assert installation.apr("cancel", run_id).returncode == 2


def test_ctrl_c_leaves_a_distributed_run_to_its_workers(installation: Installation) -> None:
    process, run_id = submit(installation)
    until(lambda: installation.service.store.submission(run_id))
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"run {run_id} goes on" in stderr
    assert installation.service.get_run(run_id).status is RunStatus.QUEUED
    installation.start_worker()
    followed = installation.apr("resume", run_id, "--distributed", "--format", "json")
    assert followed.returncode in (0, 1), followed.stderr
    assert json.loads(followed.stdout)["run"] == run_id
