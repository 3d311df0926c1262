"""Measures the judge itself: do the buggy programs differ from their references, and only they?

    python benchmarks/correctness.py quixbugs --root QUIXBUGS_CHECKOUT
    python benchmarks/correctness.py humanevalfix --root BUGS.jsonl --generated-only

For each bug the reference version is compared with itself, which must agree everywhere, and the
buggy version with the reference, which should not. `--generated-only` leaves out the benchmark's
own inputs, on which a plausible patch agrees by definition. The last line counts; the exit status
is 1 when a reference differs from itself.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from apr.core.bug import Bug
from apr.datasets import humanevalfix, quixbugs
from apr.datasets.cases import Case
from apr.datasets.dataset import Dataset, ReferenceProgram
from apr.datasets.differential import Comparison, compare_programs, process_execute


@dataclass(frozen=True, slots=True)
class Row:
    """One bug's two comparisons."""

    name: str
    itself: Comparison
    buggy: Comparison


def measure(dataset: Dataset, seed: int, *, generated_only: bool) -> Iterator[Row]:
    """Both comparisons of every bug that has a reference program."""
    for bug in dataset.bugs:
        reference = dataset.reference_program(bug)
        if reference is not None:
            yield Row(
                bug.name,
                _compare(reference.source, reference, seed, generated_only),
                _compare(_read_buggy(bug, reference), reference, seed, generated_only),
            )


def _read_buggy(bug: Bug, reference: ReferenceProgram) -> str:
    return (Path(bug.subject) / reference.path).read_text(encoding="utf-8")


def _compare(source: str, reference: ReferenceProgram, seed: int, new_only: bool) -> Comparison:
    cases: Iterator[Case] = reference.cases(seed)
    return compare_programs(
        source,
        reference.source,
        reference.entry_point,
        islice(cases, reference.known_cases if new_only else 0, None),
        process_execute(),
        tolerance=reference.tolerance,
    )


def _print_row(row: Row) -> None:
    difference = row.buggy.first_difference
    found = f"differs at input {row.buggy.executed}" if difference else "NO DIFFERENCE"
    itself = "DIFFERS" if row.itself.first_difference else "agrees"
    print(f"{row.name:30} itself {itself} on {row.itself.executed:3}   buggy {found}")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a bug and the totals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("benchmark", choices=("quixbugs", "humanevalfix"))
    parser.add_argument("--root", type=Path, required=True, help="the checkout, or the JSON lines")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--generated-only", action="store_true")
    options = parser.parse_args(argv)
    load = quixbugs.load if options.benchmark == "quixbugs" else humanevalfix.load
    rows = []
    with tempfile.TemporaryDirectory() as work:
        dataset = load(options.root, Path(work))
        for row in measure(dataset, options.seed, generated_only=options.generated_only):
            _print_row(row)
            rows.append(row)
    unsound = sum(row.itself.first_difference is not None for row in rows)
    detected = sum(row.buggy.first_difference is not None for row in rows)
    print(f"{len(rows)} bugs: {detected} buggy versions differ, {unsound} references do")
    return 1 if unsound else 0


if __name__ == "__main__":
    sys.exit(main())
