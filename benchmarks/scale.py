"""Measure distribution: validations by 1, 2, 4, 8 processes, their overhead, and a full store.

    python benchmarks/scale.py [--validations N] [--processes 1,2,4,8] [--part validation|store]

Validation: a private PostgreSQL and Redis, one `apr worker --queues validation --processes P`, and
a searcher that lays out N patches of a subject and only collects the verdicts. One subject waits
(four tests that sleep 50 ms each), one computes (the same in CPU time). The same patches are judged
in this process before and after, and the ratio is to the mean of both. On a busy machine rates say
little about the overhead, so the time in which no test was running is told apart. From Redis's own
statistics and the time of a searcher's saves follow the constants for arithmetic on many workers.

Store: 100 runs with 100 candidates each, on SQLite and PostgreSQL: p95 of the queries that lists
and pages make, and the migration of that data down by one revision and up again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import SecretStr

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from apr.bootstrap import bootstrap  # noqa: E402
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId  # noqa: E402
from apr.core.patch import Hunk, Patch  # noqa: E402
from apr.core.ports import BoardItem  # noqa: E402
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict  # noqa: E402
from apr.core.run import Budget, RepairRun, RunStatus, Usage  # noqa: E402
from apr.core.tree import SearchNode  # noqa: E402
from apr.helping import open_post  # noqa: E402
from apr.service import Service  # noqa: E402
from apr.settings import AppSettings, RunSettings  # noqa: E402
from apr.storage.engine import make_engine  # noqa: E402
from apr.storage.migrate import ensure_schema, make_config, migrating  # noqa: E402
from apr.storage.store import SqlRunStore  # noqa: E402
from support.e2e import Apr  # noqa: E402
from support.postgres import find_programs, postgres_serving  # noqa: E402
from support.services import RedisServer, WorkerProcess, redis_serving  # noqa: E402
from workers.app import make_app  # noqa: E402
from workers.board import RedisBoard  # noqa: E402
from workers.queue import CeleryQueue  # noqa: E402

WAITS = "time.sleep(0.05)"
COMPUTES = "end = time.process_time() + 0.05\n    while time.process_time() < end: pass"
SOURCE = "def answer():\n    return 41\n"
REPEATS = 40
LIMIT_MS = 50.0
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rate:
    """Validations a second, and the milliseconds of each that no test was running."""

    per_s: float
    outside_ms: float


def rate_of(reports: Sequence[ValidationReport], took_s: float, processes: int = 1) -> Rate:
    tests_s = sum(report.duration_s for report in reports)
    outside_ms = 1000 * (took_s * processes - tests_s) / len(reports)
    return Rate(len(reports) / took_s, outside_ms)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure distribution.")
    parser.add_argument("--validations", type=int, default=60)
    parser.add_argument("--processes", default="1,2,4,8")
    parser.add_argument("--part", choices=["validation", "store"])
    arguments = parser.parse_args()
    counts = [int(word) for word in arguments.processes.split(",")]
    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL's server programs are needed")
    with tempfile.TemporaryDirectory(prefix="apr-scale-") as name, ExitStack() as stack:
        postgres = stack.enter_context(postgres_serving(programs, is_durable=True))
        if arguments.part != "store":
            redis = stack.enter_context(redis_serving())
            measure_validation(Path(name), postgres.url, redis, counts, arguments.validations)
        if arguments.part != "validation":
            measure_store("SQLite", f"sqlite:///{name}/store.db")
            measure_store("PostgreSQL", _new_database(postgres.url))
    return 0


def measure_validation(
    folder: Path, url: str, redis: RedisServer, counts: Sequence[int], validations: int
) -> None:
    print("| subject | here, 1/s | " + " | ".join(f"{n} proc." for n in counts), end=" |")
    print(" ms a validation outside the tests: here twice; with 1 proc. |")
    for kind, work in (("waits", WAITS), ("computes", COMPUTES)):
        subject = make_subject(folder / kind, work)
        settings = AppSettings(
            data_dir=folder / "data", database_url=url, broker_url=SecretStr(redis.url)
        )
        service = bootstrap(settings)
        run = begun_run(service, subject)
        patches = make_patches(validations)
        before = rate_here(service, run, patches)
        rates = [rate_there(folder, settings, run, patches, count) for count in counts]
        after = rate_here(service, run, patches)
        here = (before.per_s + after.per_s) / 2
        cells = " | ".join(f"{r.per_s:.1f} ({r.per_s / here:.2f})" for r in rates)
        first = f"{before.per_s:.1f}, {after.per_s:.1f}"
        outside = f"{before.outside_ms:.1f}, {after.outside_ms:.1f}; {rates[0].outside_ms:.1f}"
        print(f"| {kind} | {first} | {cells} | {outside} |", flush=True)
    print_constants(service, run, redis, patches)


def make_subject(folder: Path, work: str) -> Path:
    folder.mkdir()
    (folder / "subject.py").write_text(SOURCE)
    head = "import time\nfrom subject import answer\n"
    passing = "".join(
        f"\n\ndef test_{n}():\n    {work}\n    assert answer() > {n}\n" for n in range(3)
    )
    failing = f"\n\ndef test_answer():\n    {work}\n    assert answer() == 42\n"
    (folder / "test_subject.py").write_text(head + passing + failing)
    return folder


def make_patches(count: int) -> list[Patch]:
    """Patches of which each keeps the failing test failing, so that all take as long."""
    old = ("    return 41\n",)
    return [
        Patch((Hunk("subject.py", 2, old, (f"    return {100 + number}\n",)),))
        for number in range(count)
    ]


def begun_run(service: Service, subject: Path) -> RepairRun:
    """A run with its baseline measured, as helpers find it."""
    bug = Bug(str(subject), TestCommand(RunnerKind.PYTEST, python=sys.executable))
    run = service.submit_run(bug, RunSettings(cache=False), Budget(candidates=1), 0)
    service.execute_run(run.id)
    service.store.set_status(run.id, RunStatus.RUNNING)
    return service.get_run(run.id)


def rate_here(service: Service, run: RepairRun, patches: Sequence[Patch]) -> Rate:
    oracle = service.oracle(run.id)
    assert oracle is not None
    post = open_post(run, RunSettings.model_validate(run.settings), oracle)
    with post.stack:
        post.validator.judge(patches[:2])
        began = time.perf_counter()
        reports = [post.validator.judge([patch])[0] for patch in patches]
        return rate_of(reports, time.perf_counter() - began)


def rate_there(
    folder: Path, settings: AppSettings, run: RepairRun, patches: Sequence[Patch], processes: int
) -> Rate:
    assert settings.broker_url is not None
    queue = CeleryQueue(make_app(settings))
    board = RedisBoard(settings.broker_url.get_secret_value(), queue.call_helpers)
    with working(folder, settings, processes):

        def call() -> None:
            queue.call_helpers(run.id, processes)

        collect(board, run.id, [patches[0]] * processes * 4, call)  # until all are warm
        began = time.perf_counter()
        reports = collect(board, run.id, patches, call)
        rate = rate_of(reports, time.perf_counter() - began, processes)
    board.close()
    return rate


def collect(
    board: RedisBoard, run_id: str, patches: Sequence[Patch], call: Callable[[], None]
) -> Sequence[ValidationReport]:
    """All reports; `call` is for helpers, in case the calls before were for an earlier run."""
    board.lay_out(run_id, [BoardItem("b", n, patch, {}) for n, patch in enumerate(patches)])
    reports: dict[int, ValidationReport] = {}
    while len(reports) < len(patches):
        results = board.results(run_id, 1.0)
        if not results:
            call()
        for result in results:
            assert result.report.verdict is Verdict.STILL_FAILS, result.report
            reports[result.index] = result.report
    return list(reports.values())


@contextmanager
def working(folder: Path, settings: AppSettings, processes: int) -> Iterator[None]:
    assert settings.broker_url is not None
    environment = Apr(folder).environment | {
        "APR_DATABASE_URL": str(settings.database_url),
        "APR_BROKER_URL": settings.broker_url.get_secret_value(),
    }
    log = folder / f"worker-{processes}-{time.monotonic_ns()}.log"
    worker = WorkerProcess(environment, log, "--queues", "validation", "--processes", processes)
    try:
        worker.wait_ready()
        yield
    finally:
        worker.stop()


def print_constants(
    service: Service, run: RepairRun, redis: RedisServer, patches: Sequence[Patch]
) -> None:
    """What one validation costs the broker, and one batch of eight the database."""
    assert isinstance(service.store, SqlRunStore)
    with redis.client() as client:
        client.config_resetstat()
        board = RedisBoard(redis.url, lambda run_id, count: None)
        report = ValidationReport(Verdict.STILL_FAILS, Stage.TRIGGER, results=RESULTS)
        began = time.perf_counter()
        for _ in range(100):
            board.lay_out("r", [BoardItem("b", n, p, {}) for n, p in enumerate(patches[:8])])
            for _ in range(8):
                item = board.take("r", 1, 1.0)[0]
                board.hand_in("r", _result(item, report))
                board.results("r")
        trip_ms = 1000 * (time.perf_counter() - began) / 800
        used_us = sum(float(row["usec"]) for row in client.info("commandstats").values()) / 800
        board.close()
    nodes = [SearchNode(0, None, Patch())]
    nodes += [SearchNode(n, 0, patch, report=report) for n, patch in enumerate(patches[:8], 1)]
    saves = [_timed_ms(lambda: _save_batch(service.store, run.id, nodes)) for _ in range(REPEATS)]
    print(
        f"\nRedis: {used_us:.0f} us of its own time, {trip_ms:.2f} ms in all for each validation;"
        f"\nPostgreSQL with fsync: {statistics.median(saves):.1f} ms (p95 {_p95(saves):.1f}) for"
        " a batch of 8: nodes, reports, usage and an event",
        flush=True,
    )


def _result(item: BoardItem, report: ValidationReport):
    from apr.core.ports import BoardResult

    return BoardResult(item.batch, item.index, report)


def _save_batch(store: SqlRunStore, run_id: str, nodes: Sequence[SearchNode]) -> None:
    store.save_nodes(run_id, nodes)
    store.save_usage(run_id, Usage(candidates=8))
    store.append_event(run_id, "search", {"candidates": 8})


RESULTS = tuple(TestResult(TestId(f"t.py::test_{n}"), TestOutcome.PASSED, 0.01) for n in range(10))
REPORT = ValidationReport(Verdict.REGRESSES, Stage.FULL, 1, 1, 1, 10, 10, results=RESULTS)


def measure_store(name: str, url: str) -> None:
    engine = make_engine(url)
    ensure_schema(engine)
    store = SqlRunStore(engine)
    nodes = [SearchNode(0, None, Patch())]
    for n in range(1, 101):
        patch = Patch((Hunk("pkg/module.py", n, ("old line\n",), ("new line\n",)),))
        nodes.append(SearchNode(n, (n - 1) // 3, patch, origin="template", report=REPORT))
    for number in range(100):
        bug = Bug(f"/subject{number % 10}", TestCommand(RunnerKind.PYTEST))
        at = START + timedelta(seconds=number)
        run = RepairRun(f"run{number:03}", bug, {}, 1, RunStatus.QUEUED, Budget(), Usage(), at)
        store.create_run(run)
        store.save_nodes(run.id, nodes)
        store.submit(run.id, number % 10)
    queries: dict[str, Callable[[], object]] = {
        "list 100": lambda: store.list_runs(limit=100),
        "filter by status": lambda: store.list_runs(limit=50, status=RunStatus.QUEUED),
        "get": lambda: store.get_run("run057"),
        "tree": lambda: store.load_tree("run050"),
        "outline of the tree": lambda: store.load_outline("run050"),
        "reports": lambda: store.load_reports("run050"),
        "waiting": store.waiting,
        "reclaim": store.reclaim,
        "totals": store.totals,
    }
    for what, query in queries.items():
        times = [_timed_ms(query) for _ in range(REPEATS)]
        mark = "" if _p95(times) <= LIMIT_MS else " (too slow)"
        print(f"| {name} | {what} | {statistics.median(times):.1f} | {_p95(times):.1f}{mark} |")
    for what, act in (("down", "downgrade"), ("up", "upgrade")):
        took = _timed_ms(partial(_migrate, engine, act))
        print(f"| {name} | migration {what}, 10,000 candidates | {took:.0f} | |", flush=True)
    assert len(store.load_tree("run099").nodes) == 101
    engine.dispose()


def _migrate(engine, act: str) -> None:
    from alembic import command

    with migrating(engine) as connection:
        config = make_config()
        config.attributes["connection"] = connection
        getattr(command, act)(config, "-1" if act == "downgrade" else "head")


def _timed_ms(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def _new_database(url: str) -> str:
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE store")
    engine.dispose()
    return url.removesuffix("/postgres") + "/store"


if __name__ == "__main__":
    sys.exit(main())
