"""Candidates a second: the warm pool against a new container for each candidate.

    python benchmarks/throughput.py --image IMAGE --image-python /opt/env/bin/python \\
        [--quixbugs CHECKOUT [--only NAME ...] [--candidates 20]] \\
        [--project FOLDER --trigger TEST ... [--project-candidates 120]] \\
        [--python PYTHON] [--sides docker bubblewrap process] [--no-cache] [--records FILE]

All sides judge the same patches, the first that the template generator proposes for each subject,
in one run, one worker each, one patch at a time and in turns. `usual` is what benchmark harnesses
do: a new container, the patched files put in, the whole suite by plain pytest, the JUnit report
fetched, the container removed. The others are APR's validator in a sandbox, its confirming runs
included. Docker's side uses the same image as `usual`; the others need PYTHON, an interpreter with
the same packages. Every verdict is compared with the usual one; the exit status is 1 when one
differs. Patches on which the usual suite does not end in time are compared (neither side may call
them plausible) and left out of all times, and counted: a time limit says nothing about throughput.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from throughput_usual import FreshContainers, Judged, address

from apr.bootstrap import make_template_generator
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.oracle import Oracle
from apr.core.patch import Patch, render_diff
from apr.core.ports import RepairContext
from apr.core.report import ValidationReport, Verdict
from apr.core.tree import SearchNode
from apr.datasets import quixbugs
from apr.repair import measure_oracle, open_validator, reusing
from apr.settings import RunSettings
from apr.subject import PreparedSubject, prepare_subject
from validation.equivalence import NormalForms

USUAL = "usual"
SIDES = ("docker", "bubblewrap", "process")


@dataclass
class Side:
    """One side's part in one subject: seconds for its start, each patch, and its confirmation."""

    name: str
    start_s: float = 0.0
    seconds: list[float] = field(default_factory=list)
    confirming_s: list[float] = field(default_factory=list)
    known: int = 0
    verdicts: list[Verdict | None] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """One subject: its patches and all sides, the usual one first."""

    name: str
    patches: Sequence[Patch]
    sides: Sequence[Side]

    @property
    def hanging(self) -> list[int]:
        return [n for n, verdict in enumerate(self.sides[0].verdicts) if verdict is None]

    def kept(self, seconds: Sequence[float]) -> float:
        """The sum over the patches that do not hang."""
        hanging = set(self.hanging)
        return sum(s for n, s in enumerate(seconds) if n not in hanging)

    def differing(self, side: Side) -> list[int]:
        """The patches on which a side and the usual harness do not agree."""
        pairs = zip(self.sides[0].verdicts, side.verdicts, strict=True)
        return [n for n, (usual, verdict) in enumerate(pairs) if not agree(usual, verdict)]


def agree(usual: Verdict | None, verdict: Verdict | None) -> bool:
    """The same word; a suite that did not end is at least no plausible patch."""
    return verdict is not Verdict.PLAUSIBLE if usual is None else verdict is usual


class Pool:
    """APR's validator of one subject in one kind of sandbox, opened and ready."""

    def __init__(self, bug: Bug, settings: RunSettings, stack: ExitStack) -> None:
        started = time.perf_counter()
        self.bug = bug
        self.subject: PreparedSubject = stack.enter_context(prepare_subject(bug, settings))
        self.oracle: Oracle = measure_oracle(bug, self.subject, settings, silent)
        validator = stack.enter_context(open_validator(self.subject, self.oracle, settings))
        forms = NormalForms(self.subject.sources, self.subject.test_sources)
        self._validator = reusing(validator, self.subject, settings, None, forms)
        self.start_s = time.perf_counter() - started

    def judge(self, patch: Patch) -> tuple[ValidationReport, float, float]:
        """The report as a search gets it, the seconds to it, and those of a confirmation."""
        started = time.perf_counter()
        [report] = self._validator.validate([patch])
        seconds, confirming_s = time.perf_counter() - started, 0.0
        if report.is_plausible:
            known = report.from_cache
            report = replace(self._validator.confirm(patch), from_cache=known)
            confirming_s = time.perf_counter() - started - seconds
        self._validator.learn([report])
        return report, seconds, confirming_s


def silent(kind: str, data: Any) -> None:
    """Nobody listens."""


def main() -> int:
    arguments = parse_arguments()
    rows: list[Measured] = []
    with ExitStack() as stack:
        records = stack.enter_context(arguments.records.open("w")) if arguments.records else None
        print(head(), flush=True)
        for bug, count in subjects(arguments, stack):
            rows.append(measure(bug, count, arguments, records))
            print(render(rows[-1]), flush=True)
    small = [row for row in rows if row.name != "project"]
    if len(small) > 1:
        print(render(total(small)))
    report_verdicts(rows)
    return 1 if any(row.differing(side) for row in rows for side in row.sides) else 0


def subjects(arguments: argparse.Namespace, stack: ExitStack) -> Iterator[tuple[Bug, int]]:
    """The bugs to measure with the number of candidates of each."""
    if arguments.quixbugs:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="throughput-")))
        for bug in quixbugs.load(arguments.quixbugs, work, arguments.only, arguments.python).bugs:
            yield bug, arguments.candidates
    if arguments.project:
        command = TestCommand(RunnerKind.PYTEST, tuple(arguments.tests), arguments.python)
        triggers = tuple(TestId(test) for test in arguments.trigger)
        folder = str(arguments.project.resolve())
        globs = tuple(arguments.source)
        bug = Bug(folder, command, source_globs=globs, trigger_tests=triggers, name="project")
        yield bug, arguments.project_candidates


def measure(
    bug: Bug, count: int, arguments: argparse.Namespace, records: TextIO | None
) -> Measured:
    """Judge the subject's first `count` candidates on every side, in turns."""
    with ExitStack() as stack:
        pools = {name: open_pool(name, bug, arguments, stack) for name in arguments.sides}
        first = next(iter(pools.values()))
        patches = propose(first, count)
        usual, start_s = open_usual(bug, first.oracle, arguments, stack)
        sides = [Side(USUAL, start_s), *(Side(name, pool.start_s) for name, pool in pools.items())]
        for number, patch in enumerate(patches):
            turn = number % len(sides)
            for side in (*sides[turn:], *sides[:turn]):
                if side.name == USUAL:
                    seen: Judged | ValidationReport = usual.judge(patch, first.oracle.baseline)
                    seconds, confirming_s = seen.seconds, 0.0
                else:
                    seen, seconds, confirming_s = pools[side.name].judge(patch)
                side.seconds.append(seconds)
                side.confirming_s.append(confirming_s)
                side.known += isinstance(seen, ValidationReport) and seen.from_cache
                side.verdicts.append(seen.verdict)
                if records is not None:
                    record(records, bug, number, patch, first, side, seen)
    return Measured(bug.name, patches, sides)


def open_pool(name: str, bug: Bug, arguments: argparse.Namespace, stack: ExitStack) -> Pool:
    settings = RunSettings(
        jobs=1,
        sandbox=name,
        test_timeout_s=arguments.test_timeout,
        cache=not arguments.no_cache,
    )
    if name == "docker":
        settings = settings.model_copy(update={"image": arguments.image})
        command = replace(bug.test_command, python=arguments.image_python)
        bug = replace(bug, test_command=command)
    return Pool(bug, settings, stack)


def open_usual(
    bug: Bug, oracle: Oracle, arguments: argparse.Namespace, stack: ExitStack
) -> tuple[FreshContainers, float]:
    """The usual harness with its start-up, in which it runs the suite once without a patch.

    Raises:
        SystemExit: when that run does not show what the pool's baseline has seen.
    """
    started = time.perf_counter()
    baseline = oracle.baseline
    hung_s = sum(baseline.durations_s[test] for test in baseline.hung)
    limit_s = max(arguments.hang, 5 * (baseline.duration_s - hung_s))
    harness = FreshContainers(
        arguments.image,
        Path(bug.subject),
        arguments.image_python,
        bug.test_command.argv,
        limit_s,
    )
    usual = stack.enter_context(harness)
    if not baseline.hung:
        outcomes = usual.run({}) or {}
        passing = {address(test) for test in baseline.passing}
        failing = {address(test) for test in baseline.trigger_tests}
        wrong = {test for test in passing if outcomes.get(test) != "passed"}
        wrong |= {test for test in failing if outcomes.get(test, "passed") == "passed"}
        if wrong:
            raise SystemExit(f"{bug.name}: the baselines differ on {sorted(wrong)[:5]}")
    return usual, time.perf_counter() - started


def propose(pool: Pool, count: int) -> Sequence[Patch]:
    """The first patches for the subject, as the search would ask for them at its root."""
    subject, oracle = pool.subject, pool.oracle
    context = RepairContext(
        pool.bug, subject.sources, oracle.locations, oracle.baseline.failing, subject.test_sources
    )
    root = SearchNode(0, None, Patch())
    proposals = make_template_generator().propose(context, root, count)
    return [proposal.patch for proposal in proposals]


def record(
    file: TextIO,
    bug: Bug,
    number: int,
    patch: Patch,
    pool: Pool,
    side: Side,
    seen: Judged | ValidationReport,
) -> None:
    """One line of JSON: enough to explain a difference by hand."""
    line = {
        "subject": bug.name,
        "number": number,
        "side": side.name,
        "verdict": seen.verdict,
        "seconds": round(side.seconds[-1], 4),
        "diff": render_diff(patch, pool.subject.sources) if side.name == USUAL else None,
    }
    if isinstance(seen, ValidationReport):
        line |= {"stage": seen.stage, "message": seen.message[:500]}
    else:
        failed = [test for test, outcome in seen.outcomes.items() if outcome != "passed"]
        line |= {"tests": len(seen.outcomes), "not_passed": failed[:20]}
    file.write(json.dumps(line) + "\n")
    file.flush()


def total(rows: Sequence[Measured]) -> Measured:
    """All subjects as one."""
    joined = []
    for column in zip(*(row.sides for row in rows), strict=True):
        joined.append(
            Side(
                column[0].name,
                sum(side.start_s for side in column),
                [s for side in column for s in side.seconds],
                [s for side in column for s in side.confirming_s],
                sum(side.known for side in column),
                [v for side in column for v in side.verdicts],
            )
        )
    return Measured("all small", [patch for row in rows for patch in row.patches], joined)


HEAD = (
    *("subject", "side", "candidates", "hanging", "known", "/s", "ratio", "confirmed", "s each"),
    *("ratio with them", "start-up s", "ratio with all", "differing"),
)


def head() -> str:
    return f"| {' | '.join(HEAD)} |\n" + "|---" * len(HEAD) + "|"


def render(row: Measured) -> str:
    """One line of the table for each side; see the protocol for the columns."""
    usual = row.sides[0]
    count = len(row.patches) - len(row.hanging)
    usual_s = row.kept(usual.seconds)
    lines = []
    for side in row.sides:
        seconds, confirming_s = row.kept(side.seconds), row.kept(side.confirming_s)
        confirmed = sum(s > 0 for s in side.confirming_s)
        with_all = (usual.start_s + usual_s) / (side.start_s + seconds + confirming_s)
        cells = (
            *(row.name, side.name, len(row.patches), len(row.hanging), side.known),
            *(f"{count / seconds:.2f}", f"{usual_s / seconds:.1f}", confirmed),
            f"{sum(side.confirming_s) / confirmed:.2f}" if confirmed else "",
            f"{usual_s / (seconds + confirming_s):.1f}",
            *(f"{side.start_s:.1f}", f"{with_all:.1f}", len(row.differing(side))),
        )
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def report_verdicts(rows: Sequence[Measured]) -> None:
    """The verdicts of each side, and every patch on which one differs."""
    print("\n| subject | side | verdicts |\n|---|---|---|")
    for row in rows:
        for side in row.sides:
            counts = Counter(str(verdict or "did not end") for verdict in side.verdicts)
            words = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
            print(f"| {row.name} | {side.name} | {words} |")
    for row in rows:
        for side in row.sides[1:]:
            for number in row.differing(side):
                usual = row.sides[0].verdicts[number]
                print(f"\n{row.name} #{number}: {USUAL} {usual}, {side.name} "
                      f"{side.verdicts[number]}")  # fmt: skip


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", required=True)
    parser.add_argument("--image-python", default="python3", help="interpreter inside the image")
    parser.add_argument("--python", default=sys.executable, help="the same on this machine")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--quixbugs", type=Path)
    parser.add_argument("--only", nargs="+", help="these programs instead of all")
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--trigger", nargs="*", default=[])
    parser.add_argument("--tests", nargs="*", default=[], help="pytest's arguments")
    parser.add_argument("--source", nargs="*", default=[], help="globs of what may be patched")
    parser.add_argument("--project-candidates", type=int, default=120)
    parser.add_argument("--hang", type=float, default=15.0, help="seconds, or five times the suite")
    parser.add_argument("--test-timeout", type=float, default=5.0)
    parser.add_argument("--no-cache", action="store_true", help="judge equal programs again")
    parser.add_argument("--records", type=Path, help="a line of JSON for each judgement")
    arguments = parser.parse_args()
    if not arguments.quixbugs and not arguments.project:
        parser.error("nothing to measure: give --quixbugs or --project")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
