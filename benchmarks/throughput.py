"""Candidates a second: the warm pool against a pytest process of its own for each candidate.

    python benchmarks/throughput.py --root QUIXBUGS_CHECKOUT [--only NAME ...] [--candidates 40]

Both sides judge the same patches, the first that the template generator proposes for each program,
one at a time on one core, in one run and in turns. The pool is APR's validator with one worker in
the default sandbox; its start-up is counted in the second ratio. The other side is what a plain
harness does: write the patch into a copy and run `python -m pytest TEST_FILE`, no sandbox, every
test, with a time limit. A patch counts as passing there when the exit status is 0. Both must agree
on every patch; the exit status is 1 when they do not. Patches on which the other side hangs are
left out of both times, and counted: a fixed time limit says nothing about throughput.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apr.bootstrap import make_generator
from apr.core.bug import Bug
from apr.core.oracle import Oracle
from apr.core.patch import Patch
from apr.core.ports import RepairContext
from apr.core.tree import SearchNode
from apr.datasets import quixbugs
from apr.repair import measure_oracle, open_validator
from apr.settings import RunSettings
from apr.subject import PreparedSubject, prepare_subject
from validation.workspace import Workspace, copy_subject

HANG_S = 10.0
SETTINGS = RunSettings(jobs=1, test_timeout_s=5)
DEFAULT = ("gcd", "flatten", "kth", "lis", "mergesort", "pascal", "powerset", "rpn_eval", "wrap")


@dataclass(frozen=True)
class Row:
    """One program: seconds for all patches on either side, and the patches that disagree."""

    name: str
    patches: int
    hanging: int
    start_s: float
    pool_s: float
    process_s: float
    differing: int

    @property
    def ratio(self) -> float:
        """With the pool's start-up."""
        return self.process_s / (self.start_s + self.pool_s)

    @property
    def running_ratio(self) -> float:
        """Once it runs."""
        return self.process_s / self.pool_s


def main() -> int:
    arguments = parse_arguments()
    rows = []
    print(HEAD + "\n" + "|---" * 8 + "|", flush=True)
    with tempfile.TemporaryDirectory() as work:
        bugs = quixbugs.load(arguments.root, Path(work), arguments.only).bugs
        for bug in bugs:
            with prepare_subject(bug, SETTINGS) as subject:
                rows.append(measure(bug, subject, arguments.candidates))
            print(render(rows[-1]), flush=True)
    return summarize(rows)


def measure(bug: Bug, subject: PreparedSubject, count: int) -> Row:
    oracle = measure_oracle(bug, subject, SETTINGS, lambda kind, data: None)
    patches = propose(bug, subject, oracle, count)
    expected, seconds = process_each(bug, subject, patches)
    chosen = [patch for patch, passed in zip(patches, expected, strict=True) if passed is not None]
    wanted = [passed for passed in expected if passed is not None]
    started = time.perf_counter()
    with open_validator(subject, oracle, SETTINGS) as validator:
        running = time.perf_counter()
        reports = validator.validate(chosen)
        ended = time.perf_counter()
    got = [report.is_plausible for report in reports]
    differing = sum(a != b for a, b in zip(wanted, got, strict=True))
    return Row(
        bug.name,
        len(chosen),
        expected.count(None),
        running - started,
        ended - running,
        seconds,
        differing,
    )


def propose(bug: Bug, subject: PreparedSubject, oracle: Oracle, count: int) -> Sequence[Patch]:
    context = RepairContext(bug, subject.sources, oracle.locations, oracle.baseline.failing, {})
    root = SearchNode(0, None, Patch())
    return [p.patch for p in make_generator(SETTINGS).propose(context, root, count)]


def process_each(
    bug: Bug, subject: PreparedSubject, patches: Sequence[Patch]
) -> tuple[list[bool | None], float]:
    """Whether each patch passes (None: it hangs), and the seconds of those that do not hang."""
    seconds, passed = 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        pristine = subject.workspace.root
        copy_subject(pristine, Path(folder) / "copy")
        workspace = Workspace(Path(folder) / "copy", pristine)
        command = [sys.executable, "-m", "pytest", "-q", *bug.test_command.argv]
        for patch in patches:
            started = time.perf_counter()
            with workspace.patched(patch):
                try:
                    done = subprocess.run(
                        command, cwd=workspace.root, capture_output=True, timeout=HANG_S
                    )
                except subprocess.TimeoutExpired:
                    passed.append(None)
                    continue
            seconds += time.perf_counter() - started
            passed.append(done.returncode == 0)
    return passed, seconds


HEAD = "| program | patches | hanging | process /s | pool /s | ratio | with start-up | differing |"


def render(row: Row) -> str:
    return (
        f"| {row.name} | {row.patches} | {row.hanging} | {row.patches / row.process_s:.1f} "
        f"| {row.patches / row.pool_s:.1f} | {row.running_ratio:.1f} | {row.ratio:.1f} "
        f"| {row.differing} |"
    )


def summarize(rows: Sequence[Row]) -> int:
    total = Row(
        "all",
        *(sum(getattr(row, name) for row in rows) for name in ("patches", "hanging")),
        *(sum(getattr(row, name) for row in rows) for name in ("start_s", "pool_s", "process_s")),
        sum(row.differing for row in rows),
    )
    print(render(total))
    print(f"\nmedian ratio {statistics.median(row.running_ratio for row in rows):.1f}")
    return 1 if total.differing else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(DEFAULT))
    parser.add_argument("--candidates", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
