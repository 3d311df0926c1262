"""Finished runs for pages to show: real rows of a real store, with text that wishes nobody well."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apr.bench.records import PLAUSIBLE, BugRecord, Protocol, RecordFile
from apr.core.behaviour import Behaviour, Choice, Cluster
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.location import Location, SuspiciousLocation
from apr.core.oracle import Oracle
from apr.core.patch import Hunk, Patch, render_diff
from apr.core.report import Baseline, Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.run import Budget, RankedPatch, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode
from apr.helping import ORACLE
from apr.service import BEHAVIOUR
from apr.settings import RunSettings
from apr.storage.behaviour import encode_behaviour
from apr.storage.oracle import encode_oracle
from apr.storage.store import SqlRunStore

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&\x1b[31m\u202e"
SOURCE = "def price(quantity):\n    if quantity > 10:\n        return 9\n    return 10\n"
TESTS = (
    "from shop.prices import price\n\n\n"
    "def test_ten():\n    assert price(10) == 9\n\n\n"
    "def test_one():\n    assert price(1) == 10\n"
)
FILE = "shop/prices.py"
BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC)
TRIGGERS = 2


@dataclass(frozen=True)
class Shown:
    """The ids of a run with everything and of one with a tree of thousands of nodes."""

    full: str
    large: str


def fill(store: SqlRunStore, folder: Path, large: int = 5000) -> Shown:
    """Save both."""
    subject = folder / "subject"
    (subject / "shop").mkdir(parents=True)
    (subject / FILE).write_text(SOURCE)
    (subject / "tests").mkdir()
    (subject / "tests" / "test_prices.py").write_text(TESTS)
    (subject / "conftest.py").touch()
    full = make_run("261124-120000-aaaaaa", subject, name=f"shop {HOSTILE}")
    store.create_run(full)
    nodes = full_tree()
    store.save_nodes(full.id, nodes)
    store.save_patches(full.id, ranked(nodes))
    store.save_artifact(full.id, ORACLE, encode_oracle(make_oracle()))
    store.save_artifact(full.id, BEHAVIOUR, encode_behaviour(make_behaviour()))
    for kind, data in events():
        store.append_event(full.id, kind, data)
    deep = make_run("261124-110000-bbbbbb", subject, name="large", at=BEGAN - timedelta(hours=1))
    store.create_run(deep)
    store.save_artifact(deep.id, ORACLE, encode_oracle(make_oracle()))
    store.save_nodes(deep.id, large_tree(large))
    return Shown(full.id, deep.id)


def make_run(run_id: str, subject: Path, name: str, at: datetime = BEGAN) -> RepairRun:
    return RepairRun(
        id=run_id,
        bug=Bug(
            str(subject), TestCommand(RunnerKind.PYTEST, ("tests",), sys.executable), name=name
        ),
        settings={"generator": "template", "formula": "ochiai", "policy": "mcts"},
        seed=3,
        status=RunStatus.SUCCEEDED,
        budget=Budget(candidates=100, seconds=60.0),
        usage=Usage(candidates=40, validations=30, seconds=12.5, cost_usd=0.02, tokens=900),
        created_at=at,
        finished_at=at + timedelta(seconds=20),
    )


def make_patch(limit: int, result: int = 9) -> Patch:
    """A change of the condition, and of what is returned where that is not 9."""
    hunks = [
        Hunk(FILE, 2, ("    if quantity > 10:\n",), (f"    if quantity >= {limit}:\n",)),
        Hunk(FILE, 3, ("        return 9\n",), (f"        return {result}\n",)),
    ]
    return Patch(tuple(hunks if result != 9 else hunks[:1]))


def report(verdict: Verdict, passed: int = 0, broken: int = 0) -> ValidationReport:
    failed = tuple(
        TestResult(TestId(f"tests/test_{n}.py::{HOSTILE}"), TestOutcome.FAILED, 0.1, HOSTILE)
        for n in range(TRIGGERS - passed)
    )
    return ValidationReport(
        verdict,
        Stage.CONFIRM if verdict is Verdict.PLAUSIBLE else Stage.TRIGGER,
        triggers_passed=passed,
        triggers_total=TRIGGERS,
        regressions_failed=broken,
        regressions_run=8,
        regressions_total=8,
        message=HOSTILE,
        results=failed,
        sandbox="bubblewrap",
        confirmations=2 if verdict is Verdict.PLAUSIBLE else 0,
    )


def full_tree() -> list[SearchNode]:
    """The root, every verdict once below it, and the winner below the one that comes nearest."""
    nodes = [SearchNode(0, None, Patch(), visits=9, total_value=3.0)]
    bad = [verdict for verdict in Verdict if verdict is not Verdict.PLAUSIBLE]
    for number, verdict in enumerate(bad, 1):
        nodes.append(
            SearchNode(
                number,
                0,
                make_patch(number),
                depth=1,
                origin=f"template {HOSTILE}",
                visits=2,
                reward=-0.5,
                report=report(verdict, int(verdict is Verdict.REGRESSES), 1),
            )
        )
    for limit, result in ((10, 8), (11, 9)):
        won = report(Verdict.PLAUSIBLE, TRIGGERS)
        patch = make_patch(limit, result)
        node = SearchNode(len(nodes), 4, patch, 2, 0.5, "off-by-one", 1, 1.0, 1.0, report=won)
        nodes.append(node)
    return nodes


def ranked(nodes: Sequence[SearchNode]) -> list[RankedPatch]:
    won = [node for node in nodes if node.report and node.report.is_plausible]
    return [
        RankedPatch(node.id, rank, render_diff(node.patch, {FILE: SOURCE}), node.origin)
        for rank, node in enumerate(won, 1)
    ]


def make_oracle() -> Oracle:
    failing = tuple(
        TestResult(TestId(f"tests/test_{n}.py::{HOSTILE}"), TestOutcome.FAILED, 0.1, HOSTILE)
        for n in range(TRIGGERS)
    )
    passing = tuple(TestId(f"tests/test_ok.py::test_{n}") for n in range(8))
    baseline = Baseline(failing, passing, (), (), dict.fromkeys(passing, 0.01), 0.5, 2)
    locations = [
        SuspiciousLocation(Location(FILE, 2, 2), 1.0, "ochiai", "price"),
        SuspiciousLocation(Location(FILE, 3, 4), 0.4, "ochiai", "price"),
        SuspiciousLocation(Location("shop/gone.py", 1, 1), 0.1, "ochiai", HOSTILE),
    ]
    return Oracle(baseline, None, tuple(locations), "digest")


def make_behaviour() -> Behaviour:
    test = "from shop.prices import price\n\n\ndef test_price():\n    assert price(9) == 10\n"
    answers = (((1,), "returns 10"), ((2,), f"raises {HOSTILE}"))
    choice = Choice("price(9)", answers, (test, ""), unpatched=0)
    clusters = (Cluster((1,), 0.5), Cluster((2,), 0.5))
    return Behaviour(clusters, (choice,), 120, 0, "time is up")


def events() -> list[tuple[str, dict[str, object]]]:
    counts = {"failing": 2, "passing": 8, "flaky": 0, "skipped": 0, "other_failing": 0}
    return [
        ("phase", {"name": "copy"}),
        ("sandbox", {"name": "bubblewrap"}),
        ("warning", {"message": HOSTILE}),
        ("baseline", {**counts, "duration_s": 0.5, "is_known": False}),
        ("locations", {"count": 3, "top": [f"{FILE}:2"]}),
        ("phase", {"name": "search"}),
        ("plausible", {"node": 7, "origin": HOSTILE}),
        ("phase", {"name": "done"}),
    ]


def large_tree(count: int) -> list[SearchNode]:
    """As a search makes it: most nodes below the root, and chains below some of them."""
    nodes = [SearchNode(0, None, Patch(), visits=count)]
    verdicts = list(Verdict)
    for number in range(1, count):
        parent = 0 if number % 3 else max(0, number // 2 - 1)
        verdict = verdicts[number % len(verdicts)]
        verdict = Verdict.STILL_FAILS if verdict is Verdict.PLAUSIBLE else verdict
        nodes.append(
            SearchNode(
                number,
                parent,
                Patch((Hunk(FILE, 3, ("        return 9\n",), (f"        return {number}\n",)),)),
                depth=nodes[parent].depth + 1,
                origin=f"template-{number % 40}",
                visits=1 + number % 5,
                reward=(number % 20) / 20 - 0.5,
                report=ValidationReport(verdict, Stage.TRIGGER, triggers_total=TRIGGERS),
            )
        )
    return nodes


def write_records(
    folder: Path, *, budget: int = 100, seeds: int = 2, **firsts: Sequence[int | None]
) -> None:
    """Records of variants, by the candidates that each bug took; None: it was not fixed."""
    for variant, found in firsts.items():
        for seed in range(seeds):
            protocol = Protocol(RunSettings(), Budget(candidates=budget), seed, variant)
            records = RecordFile(folder / f"few.{variant}.{seed}.jsonl", protocol)
            for number, first in enumerate(found):
                verdict, tried = ("none", budget) if first is None else (PLAUSIBLE, first)
                records.add(
                    BugRecord(
                        f"bug-{number}",
                        verdict,
                        candidates=tried,
                        first_plausible=first,
                        seconds=tried / 10,
                    )
                )
