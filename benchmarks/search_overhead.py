"""Measure what the tree itself costs: operations per second, bytes per node, and storing it.

    python benchmarks/search_overhead.py [--nodes N] [--store [N]]

One operation is one new node: its selection from the root (one for all nodes of an expansion) and
its backpropagation; nothing is validated. Time is CPU time; bytes include the frontier's
book-keeping and exclude patches and reports. With --store a tree of N nodes (100,000 by default)
with a patch and a report each is saved to SQLite in batches as a search saves it, then loaded.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.patch import Hunk, Patch
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.frontier import Frontier
from apr.search.settings import ADAPTIVE, APRMCTS, Formula, Policy, SearchSettings, Widening
from apr.search.uct import backpropagate_blend, backpropagate_mean
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore
from validation.temporary import temporary_folder

EMPTY = Patch()
RANKED = SearchSettings(batch=1)
PROGRESSIVE = SearchSettings(widening=Widening.PROGRESSIVE, batch=1)
CHAINS = replace(ADAPTIVE, policy=Policy.TRIAL_AND_ERROR, batch=1, max_depth=16)
CASES = {
    "mcts, ranked, 2,000 root proposals, no signal": (RANKED, 2000, 0.0),
    "mcts, ranked, 2,000 root proposals, 1 in 100 improves": (RANKED, 2000, 0.01),
    "mcts, ranked, 2,000 root proposals, 1 in 10 improves": (RANKED, 2000, 0.1),
    "mcts, ranked, 8 at a time, 1 in 10 improves": (SearchSettings(), 2000, 0.1),
    "mcts, progressive widening, UCT": (PROGRESSIVE, 2000, 0.1),
    "mcts, progressive widening, PUCT": (replace(PROGRESSIVE, formula=Formula.PUCT), 2000, 0.1),
    "mcts, adaptive widening, 3 at a time": (ADAPTIVE, 30, 0.1),
    "mcts, once (APRMCTS), 3 children": (APRMCTS, 3, 0.1),
    "mcts, once, 8 expansions side by side": (replace(APRMCTS, parallel=8), 3, 0.1),
    "enumerate": (replace(RANKED, policy=Policy.ENUMERATE), 2000, 0.1),
    "breadth-first, 3 at a time": (replace(ADAPTIVE, policy=Policy.BREADTH_FIRST), 30, 0.1),
    "trial-and-error, chains of 16": (CHAINS, 2000, 0.1),
}


def grow(
    settings: SearchSettings, width: int, improving: float, nodes: int
) -> tuple[SearchTree, Frontier]:
    """Grow a tree of `nodes` nodes whose rewards are random but seeded."""
    rng = random.Random(0)
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=EMPTY)])
    frontier = Frontier(tree, settings, rng)
    while len(tree) < nodes and (chosen := frontier.select_round()):
        for selected in chosen:
            parent = tree.nodes[selected]
            added = [_add(tree, parent, rng, improving) for _ in range(settings.batch)]
            parent.exhausted = len(parent.children) >= width
            if settings.widening is Widening.ONCE:
                backpropagate_blend(tree, selected, settings.backpropagation_alpha)
            else:
                for node in added:
                    backpropagate_mean(tree, node.id, node.reward)
            frontier.note_expansion(selected, [node.id for node in added])
    return tree, frontier


def _add(tree: SearchTree, parent: SearchNode, rng: random.Random, improving: float) -> SearchNode:
    better = rng.random() < improving
    reward = min(parent.reward + 0.1, 0.9) if better else parent.reward
    return tree.add(
        SearchNode(
            id=len(tree),
            parent=parent.id,
            patch=EMPTY,
            depth=parent.depth + 1,
            prior=parent.prior * rng.random(),
            reward=reward,
        )
    )


def measure(settings: SearchSettings, width: int, improving: float, nodes: int) -> dict[str, float]:
    """Operations per second of one growth, and bytes per node of a smaller one."""
    started = time.process_time()
    grown = len(grow(settings, width, improving, nodes)[0]) - 1
    elapsed = time.process_time() - started
    tracemalloc.start()
    kept = grow(settings, width, improving, min(nodes, 10_000))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "nodes": grown,
        "operations_per_s": round(grown / elapsed),
        "bytes_per_node": round(used / len(kept[0])),
    }


def store(nodes: int, batch: int = 8) -> dict[str, float]:
    """Seconds to save a tree batch by batch and to load it, and what it takes on disk."""
    with temporary_folder("overhead") as folder:
        engine = make_engine(f"sqlite:///{folder}/apr.db")
        ensure_schema(engine)
        runs = SqlRunStore(engine)
        runs.create_run(make_run())
        empty = _size(folder)
        tree = make_tree(nodes)
        started, worked = time.perf_counter(), time.process_time()
        for added, changed in _batches(tree, batch):
            runs.save_nodes("r", (*added, *changed))
            runs.save_usage("r", Usage(candidates=added[-1].id))
        saved, save_cpu = time.perf_counter(), time.process_time()
        loaded = runs.load_tree("r")
        done, load_cpu = time.perf_counter(), time.process_time()
        if loaded != tree:
            raise AssertionError("the stored tree is another one")
        engine.dispose()
        size = _size(folder) - empty
    return {
        "nodes": nodes,
        "batch": batch,
        "save_s": round(saved - started, 1),
        "save_cpu_s": round(save_cpu - worked, 1),
        "load_s": round(done - saved, 1),
        "load_cpu_s": round(load_cpu - save_cpu, 1),
        "mib": round(size / 2**20, 1),
        "bytes_per_node": round(size / nodes),
    }


def make_tree(nodes: int) -> SearchTree:
    """A tree as a search over templates makes it, every patch and report different."""
    settings = replace(SearchSettings(), max_depth=None)
    tree, _ = grow(settings, 2000, 0.1, nodes)
    del tree.nodes[nodes:]
    for node in tree.nodes:
        node.children = [child for child in node.children if child < nodes]
    for node in tree.nodes[1:]:
        node.origin = "comparison-operator"
        line = f"        if number < best and number < limit_{node.id}:\n"
        node.patch = Patch((Hunk("package/module.py", node.id % 900 + 1, (line,), (line[1:],)),))
        node.report = _report(node.id)
    return tree


def _report(number: int) -> ValidationReport:
    message = f"AssertionError: assert {number} == {number + 1}\n +  where {number} = best()"
    failed = TestResult(
        TestId("tests/test_module.py::test_best"), TestOutcome.FAILED, 0.01, message
    )
    return ValidationReport(
        Verdict.STILL_FAILS,
        Stage.TRIGGER,
        triggers_total=1,
        regressions_total=40,
        results=(failed,),
        message=message,
        duration_s=0.02,
    )


def _batches(
    tree: SearchTree, batch: int
) -> Iterator[tuple[Sequence[SearchNode], Sequence[SearchNode]]]:
    """The nodes of each batch, and their ancestors, whose statistics have changed."""
    for start in range(0, len(tree), batch):
        added = tree.nodes[start : start + batch]
        parent = added[-1].parent
        above = [] if parent is None else tree.path_to_root(parent)
        yield added, [node for node in above if node.id < start]


def make_run() -> RepairRun:
    """A run that owns the tree."""
    bug = Bug("/subject", TestCommand(RunnerKind.PYTEST))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return RepairRun("r", bug, {}, 0, RunStatus.RUNNING, Budget(), Usage(), now)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def main() -> None:
    """Print one JSON line per case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--store", type=int, nargs="?", const=100_000, metavar="N")
    arguments = parser.parse_args()
    if arguments.store:
        print(json.dumps(store(arguments.store)))
        return
    for name, (settings, width, improving) in CASES.items():
        print(json.dumps({"case": name, **measure(settings, width, improving, arguments.nodes)}))


if __name__ == "__main__":
    main()
