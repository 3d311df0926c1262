"""Two bench records side by side, bug by bug, with paired statistics.

    python benchmarks/compare.py A.jsonl B.jsonl [--names mcts,enumerate]

Bugs fixed by either side, McNemar's exact test on the bugs that only one side fixed, and the
candidates to the first plausible patch over the bugs that both fixed (median, and the sign test).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", nargs=2, type=Path)
    parser.add_argument("--names", default="A,B")
    arguments = parser.parse_args()
    left, right = (load(path) for path in arguments.records)
    print(compare(left, right, arguments.names.split(",")))
    return 0


def load(path: Path) -> dict[str, Record]:
    """The last record of each bug."""
    lines = [json.loads(line)["record"] for line in path.read_text().splitlines()]
    return {record["bug"]: record for record in lines}


def compare(left: dict[str, Record], right: dict[str, Record], names: Sequence[str]) -> str:
    bugs = sorted(left.keys() & right.keys())
    fixed = [{b for b in bugs if side[b]["verdict"] == "plausible"} for side in (left, right)]
    only = [fixed[0] - fixed[1], fixed[1] - fixed[0]]
    both = sorted(fixed[0] & fixed[1])
    first = [[side[b]["first_plausible"] for b in both] for side in (left, right)]
    earlier = [
        sum(a < b for a, b in zip(*first, strict=True)),
        sum(b < a for a, b in zip(*first, strict=True)),
    ]
    lines = [f"| over {len(bugs)} bugs | {names[0]} | {names[1]} | p |", "|---|---|---|---|"]
    lines.append(_row("plausible", *map(len, fixed), binomial(*map(len, only))))
    lines.append(_row("only this one", *(", ".join(sorted(o)) or "none" for o in only), None))
    lines.append(_row("correct", *(_count(s, "correct") for s in (left, right)), None))
    lines.append(_row("overfitting", *(_count(s, "overfitting") for s in (left, right)), None))
    if both:
        title = f"median candidates to the first plausible ({len(both)} fixed by both)"
        lines.append(_row(title, *map(statistics.median, first), None))
        lines.append(_row("mean of the same", *(f"{statistics.mean(f):.1f}" for f in first), None))
        lines.append(_row("earlier on", *earlier, binomial(*earlier)))
    return "\n".join(lines)


def _count(side: dict[str, Record], label: str) -> int:
    return sum(record["label"] == label for record in side.values())


def _row(title: str, left: object, right: object, p: float | None) -> str:
    return f"| {title} | {left} | {right} | {'' if p is None else f'{p:.2f}'} |"


def binomial(left: int, right: int) -> float:
    """Two-sided exact probability of a split at least as uneven, were both equally likely."""
    n = left + right
    tail = sum(math.comb(n, k) for k in range(min(left, right) + 1)) / 2**n
    return min(1.0, 2 * tail)


if __name__ == "__main__":
    sys.exit(main())
