"""Validations until a bug of several hunks is mended: hunk by hunk, or the Cartesian product.

    python benchmarks/multi_hunk.py --data FOLDER [--languages python,java] [--cache FOLDER]
        [--bugs 66] [--size 2] [--apart 1] [--most 300] [--budget 2000]

FOLDER holds HumanEvalFix as python-dev.jsonl and java-dev.jsonl. `--size` bugs of a file make one
subject of as many modules, all of whose tests have to pass: real bugs, put together by us. They
stand 1 to `--apart` places apart, so that each of the `--bugs` is in several subjects.

The hunks are given, the candidates are those of the templates. Every candidate is judged once,
alone (see hunk_verdicts.py); as the modules share nothing, a joint patch passes the tests that its
parts pass, so the searches below are APR's own but run on recorded verdicts.

- assembly: `--search multimend`, as `apr fix` runs it
- greedy: the same, but what helps is followed alone
- published: greedy, in MultiMend's order: alike edits, then hunk after hunk
- product: all combinations by the sum of their ranks, without a limit
- single: every candidate alone, which is one hunk at a time
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from hunk_verdicts import SUFFIXES, JudgedBug, load_or_judge

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.patch import Patch
from apr.core.ports import Generator, Proposal, RepairContext
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Budget
from apr.core.tree import SearchNode
from apr.generation.assembly.generator import AssemblingGenerator, AssemblySettings, Order
from apr.search.budget import BudgetMeter
from apr.search.loop import search
from apr.search.reward import TestReward
from apr.search.settings import MULTIMEND, Policy, SearchSettings, Widening

METHODS = ("assembly", "greedy", "published", "single", "product")
Row = dict[str, int]
"""Validations by method; one that finds no patch is absent."""


@dataclass(frozen=True)
class Subject:
    """Bugs as the modules of one program."""

    bugs: tuple[JudgedBug, ...]

    @property
    def paths(self) -> list[str]:
        return [f"m{n}{SUFFIXES[bug.language]}" for n, bug in enumerate(self.bugs)]

    def context(self) -> RepairContext:
        located = zip(self.bugs, self.paths, strict=True)
        return RepairContext(
            Bug("/nowhere", TestCommand(RunnerKind.COMMAND)),
            {path: bug.text for path, bug in zip(self.paths, self.bugs, strict=True)},
            tuple(bug.location(path) for bug, path in located),
            (),
            {},
        )


class Recorded:
    """A `Generator` of what the templates proposed for the hunks in question, best first."""

    def __init__(self, subject: Subject) -> None:
        self._candidates = {
            path: [Proposal(c.patch(path), c.score, c.origin) for c in bug.candidates]
            for path, bug in zip(subject.paths, subject.bugs, strict=True)
        }
        self._offsets: dict[str, int] = {}

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        path = context.locations_of(parent)[0].location.path
        start = self._offsets.get(path, 0)
        self._offsets[path] = start + n
        return self._candidates[path][start : start + n]


class Referee:
    """Judges a joint patch by what was found out about its parts."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._known = {
            path: {c.patch(path).digest: c for c in bug.candidates}
            for path, bug in zip(subject.paths, subject.bugs, strict=True)
        }

    def validate(self, patches: Sequence[Patch]) -> Sequence[ValidationReport]:
        return [self.confirm(patch) for patch in patches]

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        return None

    def confirm(self, patch: Patch) -> ValidationReport:
        """By how many tests fail in all, as MultiMend counts; more than before are no progress."""
        parts = zip(self._subject.paths, self._subject.bugs, strict=True)
        failing = sum(bug.tests - self._passed(patch.only(path), path, bug) for path, bug in parts)
        before = sum(bug.tests - bug.passed for bug in self._subject.bugs)
        passed = max(before - failing, 0)
        if not failing:
            return ValidationReport(Verdict.PLAUSIBLE, Stage.FULL, passed, before)
        progress = 0.5 if failing <= before else 0.25
        return ValidationReport(
            Verdict.STILL_FAILS, Stage.TRIGGER, passed, before, progress=progress
        )

    def _passed(self, patch: Patch, path: str, bug: JudgedBug) -> int:
        """The tests of one module that pass when this is what the patch does to it."""
        return self._known[path][patch.digest].passed if patch.hunks else bug.passed


def compare(subject: Subject, most: int, budget: int) -> Row:
    spent = {method: run(subject, method, most, budget) for method in METHODS}
    return {method: count for method, count in spent.items() if count is not None}


def run(subject: Subject, method: str, most: int, budget: int) -> int | None:
    """Validations until the first plausible patch; None when there is none."""
    if method == "product":
        return count_product(subject, most)
    order = Order.PUBLISHED if method == "published" else Order.RANKED
    settings = AssemblySettings(order, candidates=most)
    generator: Generator = AssemblingGenerator(Recorded(subject), settings)
    greedy = replace(MULTIMEND, widening=Widening.GREEDY)
    shapes = {
        "greedy": greedy,
        "published": greedy,
        "single": SearchSettings(policy=Policy.ENUMERATE, batch=1, max_depth=1),
    }
    result = search(
        subject.context(),
        generator,
        Referee(subject),
        TestReward(),
        shapes.get(method, MULTIMEND),
        BudgetMeter(Budget(candidates=budget), lambda: 0.0),
        seed=0,
    )
    return result.plausible[0] if result.plausible else None


def count_product(subject: Subject, most: int) -> int | None:
    """The place of the first plausible combination by the sum of ranks; rank 0 is no change."""
    fixes = [
        next((n for n, c in enumerate(bug.candidates[:most], 1) if c.is_fix), None)
        for bug in subject.bugs
    ]
    if any(rank is None for rank in fixes):
        return None
    wanted = tuple(rank for rank in fixes if rank is not None)
    sizes = [min(len(bug.candidates), most) + 1 for bug in subject.bugs]
    return place_by_sum(wanted, sizes)


def place_by_sum(ranks: tuple[int, ...], sizes: Sequence[int]) -> int:
    """How many combinations come no later: those of a lower sum, and of equal ones by rank."""
    limit = sum(ranks)
    before = 0
    for head in product(*(range(min(size, limit + 1)) for size in sizes[:-1])):
        last = limit - sum(head)
        if last < 0:
            continue
        before += min(last, sizes[-1])  # those whose sum is lower
        before += last < sizes[-1] and (*head, last) <= ranks
    return before - 1  # the program as it is needs no validation


def subjects(bugs: Sequence[JudgedBug], size: int, apart: int) -> Iterator[Subject]:
    for distance in range(1, apart + 1):
        for start in range(len(bugs)):
            chosen = [(start + distance * number) % len(bugs) for number in range(size)]
            yield Subject(tuple(bugs[number] for number in chosen))


def main() -> None:
    arguments = parse_arguments()
    print("| language | bugs | method | fixed | validations of those that all fix | of all |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache or Path(folder)
        found = []
        for language in arguments.languages.split(","):
            data = arguments.data / f"{language}-dev.jsonl"
            most = arguments.most
            cached = cache / f"{language}.jsonl"
            bugs = load_or_judge(language, data, most, cached, arguments.bugs)
            joined = subjects(bugs, arguments.size, arguments.apart)
            rows = [compare(subject, most, arguments.budget) for subject in joined]
            show(language, rows, arguments.budget)
            found += rows
        show("together", found, arguments.budget)


def show(name: str, rows: Sequence[Row], budget: int) -> None:
    """A line for each method; a bug that it does not fix costs the budget."""
    others = ("assembly", "product")
    common = [row for row in rows if all(method in row for method in others)]
    for method in METHODS:
        fixed = sum(method in row for row in rows)
        shared = [row[method] for row in common if method in row]
        usual = f"{sum(shared):,} (median {statistics.median(shared):,.0f})" if shared else "-"
        spent = sum(row.get(method, budget) for row in rows)
        print(f"| {name} | {len(rows)} | {method} | {fixed} | {usual} | {spent:,} |")
    if common:
        ratio = statistics.median(row["product"] / row["assembly"] for row in common)
        whole = sum(row["product"] for row in common) / sum(row["assembly"] for row in common)
        print(f"\n{name}: product / assembly {whole:.1f}, median of {len(common)}: {ratio:.1f}\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--languages", default="python,java")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--bugs", type=int, default=66)
    parser.add_argument("--apart", type=int, default=1)
    parser.add_argument("--size", type=int, default=2)
    parser.add_argument("--most", type=int, default=300)
    parser.add_argument("--budget", type=int, default=2000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
