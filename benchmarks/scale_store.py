"""How quickly a full store answers; the part `store` of benchmarks/scale.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from scale_world import p95, timed_ms
from sqlalchemy import Engine

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.patch import Hunk, Patch
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema, make_config, migrating
from apr.storage.store import SqlRunStore

REPEATS = 40
LIMIT_MS = 50.0
OLD = "0006"  # before reports had their counts in columns, which are filled from documents
START = datetime(2026, 1, 1, tzinfo=UTC)
RESULTS = tuple(TestResult(TestId(f"t.py::test_{n}"), TestOutcome.PASSED, 0.01) for n in range(10))
REPORT = ValidationReport(Verdict.REGRESSES, Stage.FULL, 1, 1, 1, 10, 10, results=RESULTS)


def measure_store(name: str, url: str) -> None:
    engine = make_engine(url)
    ensure_schema(engine)
    store = SqlRunStore(engine)
    fill(store)
    queries: dict[str, Callable[[], object]] = {
        "list 100": lambda: store.list_runs(limit=100),
        "filter by status": lambda: store.list_runs(limit=50, status=RunStatus.QUEUED),
        "get": lambda: store.get_run("run057"),
        "status": lambda: store.status("run057"),
        "tree": lambda: store.load_tree("run050"),
        "outline of the tree": lambda: store.load_outline("run050"),
        "reports": lambda: store.load_reports("run050"),
        "waiting": store.waiting,
        "reclaim": store.reclaim,
        "totals": store.totals,
    }
    for what, query in queries.items():
        began_s = time.process_time()
        times = [timed_ms(query) for _ in range(REPEATS)]
        cpu_ms = 1000 * (time.process_time() - began_s) / REPEATS
        mark = "" if p95(times) <= LIMIT_MS else " (too slow)"
        middle = statistics.median(times)
        print(f"| {name} | {what} | {cpu_ms:.1f} | {middle:.1f} | {p95(times):.1f}{mark} |")
    for what, act, target in (("down", "downgrade", OLD), ("up", "upgrade", "head")):
        took = timed_ms(partial(_migrate, engine, act, target))
        print(f"| {name} | migration {what}, 10,000 candidates | | {took:.0f} | |", flush=True)
    assert store.load_outline("run099").nodes[100].report.regressions_total == 10
    engine.dispose()


def fill(store: SqlRunStore) -> None:
    """100 runs with 100 candidates each."""
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


def _migrate(engine: Engine, act: str, target: str) -> None:
    from alembic import command

    with migrating(engine) as connection:
        config = make_config()
        config.attributes["connection"] = connection
        getattr(command, act)(config, target)


def new_database(url: str) -> str:
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE store")
    engine.dispose()
    return url.removesuffix("/postgres") + "/store"
