"""Measure what the tree itself costs: operations per second and bytes per node, no validation.

Usage: python benchmarks/search_overhead.py [--nodes N]. One operation is one new node: its
selection from the root (one per three nodes for APRMCTS) and its backpropagation. Time is CPU
time; bytes include the frontier's book-keeping and exclude patches and reports.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import tracemalloc
from dataclasses import replace

from apr.core.patch import Patch
from apr.core.tree import ROOT, SearchNode, SearchTree
from apr.search.frontier import Frontier
from apr.search.settings import APRMCTS, Formula, SearchSettings, Widening
from apr.search.uct import backpropagate_blend, backpropagate_mean

EMPTY = Patch()
RANKED = SearchSettings(batch=1)
CASES = {
    "ranked, 2,000 root proposals, no signal": (RANKED, 2000, 0.0),
    "ranked, 2,000 root proposals, 1 in 100 improves": (RANKED, 2000, 0.01),
    "ranked, 2,000 root proposals, 1 in 10 improves": (RANKED, 2000, 0.1),
    "progressive widening, PUCT": (
        SearchSettings(widening=Widening.PROGRESSIVE, formula=Formula.PUCT, batch=1),
        2000,
        0.1,
    ),
    "APRMCTS, 3 children": (replace(APRMCTS, batch=3), 3, 0.1),
}


def grow(
    settings: SearchSettings, width: int, improving: float, nodes: int
) -> tuple[SearchTree, Frontier]:
    """Grow a tree of `nodes` nodes whose rewards are random but seeded."""
    rng = random.Random(0)
    tree = SearchTree([SearchNode(id=ROOT, parent=None, patch=EMPTY)])
    frontier = Frontier(tree, settings, rng)
    while len(tree) < nodes and (selected := frontier.select()) is not None:
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


def main() -> None:
    """Print one JSON line per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=20_000)
    nodes = parser.parse_args().nodes
    for name, (settings, width, improving) in CASES.items():
        print(json.dumps({"case": name, **measure(settings, width, improving, nodes)}))


if __name__ == "__main__":
    main()
