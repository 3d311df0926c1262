"""What benchmarks/scale.py measures with: subjects, patches, and who judges them where."""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chaos_world import descendants

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.patch import Hunk, Patch
from apr.core.ports import BoardItem
from apr.core.report import ValidationReport, Verdict
from apr.core.run import Budget, RepairRun, RunStatus
from apr.helping import open_post
from apr.service import Service
from apr.settings import AppSettings, RunSettings
from support.e2e import Apr
from support.services import WorkerProcess
from validation.validator import StagedValidator
from workers.app import make_app
from workers.board import RedisBoard
from workers.queue import CeleryQueue

SOURCE = "def answer():\n    return 41\n"
RESAMPLES = 5_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % confidence interval, by bootstrap."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    rng = random.Random(seed)
    means = sorted(statistics.fmean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return Interval(statistics.fmean(values), low, high)


def make_subject(folder: Path, work: str) -> Path:
    """Three tests that pass and one that fails; each does the work first."""
    folder.mkdir()
    (folder / "subject.py").write_text(SOURCE)
    head = "import time\nfrom subject import answer\n"
    passing = "".join(
        f"\n\ndef test_{n}():\n    {work}\n    assert answer() > {n}\n" for n in range(3)
    )
    failing = f"\n\ndef test_answer():\n    {work}\n    assert answer() == 42\n"
    (folder / "test_subject.py").write_text(head + passing + failing)
    return folder


def make_patches(count: int, first: int = 100) -> list[Patch]:
    """Patches of which each keeps the failing test failing, so that all take as long."""
    old = ("    return 41\n",)
    return [
        Patch((Hunk("subject.py", 2, old, (f"    return {first + number}\n",)),))
        for number in range(count)
    ]


def begun_run(service: Service, subject: Path) -> RepairRun:
    """A run with its baseline measured, as helpers find it."""
    bug = Bug(str(subject), TestCommand(RunnerKind.PYTEST, python=sys.executable))
    run = service.submit_run(bug, RunSettings(cache=False), Budget(candidates=1), 0)
    service.execute_run(run.id)
    service.store.set_status(run.id, RunStatus.RUNNING)
    return service.get_run(run.id)


@contextmanager
def judging_here(service: Service, run: RepairRun) -> Iterator[StagedValidator]:
    """A warm validator in this process, as a helper has one."""
    oracle = service.oracle(run.id)
    assert oracle is not None
    post = open_post(run, RunSettings.model_validate(run.settings), oracle)
    with post.stack:
        post.validator.judge(make_patches(2))
        yield post.validator


@contextmanager
def judging_there(
    folder: Path, settings: AppSettings, run: RepairRun, processes: int
) -> Iterator[Callable[[Sequence[Patch]], float]]:
    """A function that has a worker's warm processes judge patches, and says how long it took."""
    assert settings.broker_url is not None
    queue = CeleryQueue(make_app(settings))
    board = RedisBoard(settings.broker_url.get_secret_value(), lambda run_id, count: None)

    def call() -> None:
        queue.call_helpers(run.id, processes)

    def judge(patches: Sequence[Patch]) -> float:
        began = time.perf_counter()
        collect(board, run.id, patches, call)
        return time.perf_counter() - began

    with working(folder, settings, processes):
        call()
        judge(make_patches(1) * processes * 4)  # until all are warm
        yield judge
    board.close()


def collect(
    board: RedisBoard, run_id: str, patches: Sequence[Patch], call: Callable[[], None]
) -> None:
    """Wait for all reports; `call` is for helpers, in case the last ones have gone."""
    board.lay_out(run_id, [BoardItem("b", n, patch, {}) for n, patch in enumerate(patches)])
    reports: dict[int, ValidationReport] = {}
    while len(reports) < len(patches):
        results = board.results(run_id, 1.0)
        if not results:
            call()
        for result in results:
            assert result.report.verdict is Verdict.STILL_FAILS, result.report
            reports[result.index] = result.report


@contextmanager
def working(folder: Path, settings: AppSettings, processes: int) -> Iterator[WorkerProcess]:
    """An `apr worker` for validation."""
    assert settings.broker_url is not None
    environment = Apr(folder).environment | {
        "APR_DATABASE_URL": str(settings.database_url),
        "APR_BROKER_URL": settings.broker_url.get_secret_value(),
    }
    log = folder / f"worker-{processes}-{time.monotonic_ns()}.log"
    worker = WorkerProcess(environment, log, "--queues", "validation", "--processes", processes)
    try:
        worker.wait_ready()
        yield worker
    finally:
        worker.stop()


def timed_ms(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds that living processes have used, and those of their children that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):  # it ends just now
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def whole_cpu_s() -> float:
    """Of this process and all below it: servers, workers, sandboxes."""
    return cpu_s({os.getpid(), *descendants(os.getpid())})
