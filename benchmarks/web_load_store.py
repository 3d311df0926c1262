"""A full store for measuring the web server: many runs, one large tree, and benchmark records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apr.bench.records import PLAUSIBLE, BugRecord, Protocol, RecordFile
from apr.core.behaviour import Behaviour, Choice, Cluster
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.location import Location, SuspiciousLocation
from apr.core.oracle import Oracle
from apr.core.patch import Hunk, Patch, render_diff, split_lines
from apr.core.report import (
    Baseline,
    CorrectnessLabel,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)
from apr.core.run import Budget, RankedPatch, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode
from apr.helping import ORACLE
from apr.service import BEHAVIOUR, Service
from apr.settings import RunSettings
from apr.storage.behaviour import encode_behaviour
from apr.storage.oracle import encode_oracle

ROOT = Path(__file__).resolve().parents[1]
LARGE, VARIANTS, BUGS = "260101-000000-large0", "variants", 164
FILES = ("apr/repair.py", "apr/service.py", "apr/search/loop.py")
"""Sources of this project, which the large run is said to have repaired."""
VERDICTS = (Verdict.STILL_FAILS, Verdict.REGRESSES, Verdict.DOES_NOT_BUILD)
TRIGGERS, REGRESSIONS = 10, 2000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def fill(service: Service, folder: Path, runs: int, nodes: int) -> None:
    """Everything, below `folder`."""
    statuses = [s for s in RunStatus if s not in (RunStatus.QUEUED, RunStatus.RUNNING)]
    for index in range(runs - 1):
        run = make_run(f"260102-{index:06}-{index:06x}", statuses[index % len(statuses)])
        service.store.create_run(replace(run, created_at=BEGUN + timedelta(minutes=index)))
    _fill_large(service, folder / "subject", nodes)
    _fill_benchmark(folder / "benchmarks" / VARIANTS)


def make_run(run_id: str, status: RunStatus, subject: str = "") -> RepairRun:
    """A run that has ended, or goes on, as `status` says."""
    path = subject or f"/projects/{run_id}"
    bug = Bug(path, TestCommand(RunnerKind.PYTEST), name=f"project {run_id}")
    settings = RunSettings().model_dump(mode="json")
    usage = Usage(120, 100, 30.0)
    return RepairRun(run_id, bug, settings, 0, status, Budget(), usage, datetime.now(UTC))


def _fill_large(service: Service, subject: Path, nodes: int) -> None:
    sources = {path: (ROOT / path).read_text() for path in FILES}
    for path, text in sources.items():
        (subject / path).parent.mkdir(parents=True, exist_ok=True)
        (subject / path).write_text(text)
    lines = split_lines(sources[FILES[0]])
    winners = [_node(nodes - 1 - place, lines, Verdict.PLAUSIBLE) for place in range(4)]
    patches = tuple(
        RankedPatch(node.id, rank, render_diff(node.patch, sources), node.origin)
        for rank, node in enumerate(winners, 1)
    )
    run = make_run(LARGE, RunStatus.SUCCEEDED, str(subject))
    store = service.store
    store.create_run(replace(run, created_at=BEGUN, patches=patches))
    store.save_nodes(LARGE, [SearchNode(0, None, Patch())])
    last = nodes - len(winners)
    for first in range(1, last, 500):
        numbers = range(first, min(first + 500, last))
        store.save_nodes(LARGE, [_node(index, lines) for index in numbers])
    store.save_nodes(LARGE, winners[::-1])
    store.save_artifact(LARGE, ORACLE, encode_oracle(_oracle(sources)))
    store.save_artifact(LARGE, BEHAVIOUR, encode_behaviour(_behaviour()))
    for index in range(100):
        store.append_event(LARGE, "phase", {"name": f"phase {index}"})


def _node(index: int, lines: list[str], verdict: Verdict | None = None) -> SearchNode:
    """Candidate `index`; every ninth node has some children, and the winners three hunks."""
    found = verdict or VERDICTS[index % len(VERDICTS)]
    outcome = TestOutcome.PASSED if verdict else TestOutcome.FAILED
    results = tuple(
        TestResult(
            TestId(f"tests/test_m.py::test_{i}"), outcome, message="" if verdict else "x" * 200
        )
        for i in range(TRIGGERS)
    )
    report = ValidationReport(
        found,
        Stage.FULL,
        triggers_passed=TRIGGERS if verdict else 0,
        triggers_total=TRIGGERS,
        regressions_total=REGRESSIONS,
        results=results,
    )
    firsts = [20 + (index * 7 + 40 * place) % (len(lines) - 40) for place in range(3)]
    chosen = sorted(set(firsts if verdict else firsts[:1]))
    hunks = [Hunk(FILES[0], n, (lines[n - 1],), (f"changed {index}\n",)) for n in chosen]
    parent = 0 if index < 10 else index // 10
    depth, reward = 1 + len(str(index)), 1.0 if verdict else (index % 40) / 40 - 0.5
    return SearchNode(
        *(index, parent, Patch(tuple(hunks)), depth, 0.5, "comparison-operator"),
        *(1 + index % 5, reward, reward),
        report=report,
    )


def _oracle(sources: dict[str, str]) -> Oracle:
    failing = tuple(
        TestResult(TestId(f"tests/test_m.py::test_{n}"), TestOutcome.FAILED, 0.1, "x" * 200)
        for n in range(TRIGGERS)
    )
    passing = tuple(TestId(f"tests/test_ok.py::test_{n}") for n in range(REGRESSIONS))
    baseline = Baseline(failing, passing, (), (), dict.fromkeys(passing, 0.01), 20.0, 2)
    draw = random.Random(0)
    lines = {
        path: {
            line: frozenset(draw.sample(range(len(failing) + len(passing)), 40))
            for line in range(1, text.count("\n"), 2)
        }
        for path, text in sources.items()
    }
    passed = (TestResult(test, TestOutcome.PASSED, 0.01) for test in passing)
    matrix = CoverageMatrix((*failing, *passed), lines, {})
    places = [(path, line) for path, covered in lines.items() for line in covered]
    locations = tuple(
        SuspiciousLocation(Location(path, line, line), 1 / (1 + rank / 20), "ochiai", "search")
        for rank, (path, line) in enumerate(places)
    )
    return Oracle(baseline, matrix, locations, "digest")


def _behaviour() -> Behaviour:
    """Ten questions, each with a test of two answers."""
    test = "from m import f\n\n\ndef test_f():\n    assert f({0}) == {0}\n"
    choices = [
        Choice(
            f"f({n})",
            (((1, 2), f"returns {n}"), ((3, 4), f"returns {-n}")),
            (test.format(n), test.format(-n)),
        )
        for n in range(10)
    ]
    clusters = (Cluster((1, 2), 0.5), Cluster((3, 4), 0.5))
    return Behaviour(clusters, tuple(choices), 500, 0, "")


def _fill_benchmark(folder: Path) -> None:
    """Four variants with three seeds each on as many bugs as HumanEvalFix has."""
    draw = random.Random(0)
    budget = Budget(candidates=1000)
    for place, variant in enumerate(("mcts", "trial-and-error", "breadth-first", "no-feedback")):
        for seed in range(3):
            path = folder / f"humanevalfix.{variant}.{seed}.jsonl"
            records = RecordFile(path, Protocol(RunSettings(), budget, seed, variant))
            for record in _records(draw, 0.7 - place / 10):
                records.add(record)


def _records(draw: random.Random, skill: float) -> Iterator[BugRecord]:
    for number in range(BUGS):
        is_fixed = draw.random() < skill
        candidates = draw.randint(1, 1000) if is_fixed else 1000
        label = CorrectnessLabel.CORRECT if draw.random() < 0.8 else CorrectnessLabel.OVERFITTING
        yield BugRecord(
            f"Python/{number}",
            PLAUSIBLE if is_fixed else "none",
            label=(label if is_fixed else CorrectnessLabel.UNKNOWN).value,
            candidates=candidates,
            first_plausible=candidates if is_fixed else None,
            validations=candidates,
            seconds=candidates * 0.05,
            diff="x" * 400 if is_fixed else "",
            calls=candidates // 10,
            tokens=candidates * 50,
            cost_usd=candidates * 0.0002,
        )
