"""The verdict on every template candidate for the hunk of a HumanEvalFix bug, Python or Java.

The hunk is what the reference solution changes; nothing else of the reference is used. Candidates
are run one after the other by one process inside bubblewrap (python_judge.py, JavaJudge.java), many
times as fast as APR validates; how many validations a search needs does not depend on that.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from apr.bootstrap import make_template_generator
from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Hunk, Patch, diff_texts, split_lines
from apr.core.ports import RepairContext
from apr.core.tree import ROOT, SearchNode
from apr.datasets import humanevalfix

SUFFIXES = {"python": ".py", "java": ".java"}


@dataclass(frozen=True)
class Judged:
    """A candidate, best first in its bug's list, and how many of `total` tests it passes."""

    hunks: tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]
    score: float
    origin: str
    passed: int
    total: int

    @property
    def is_fix(self) -> bool:
        return self.passed == self.total

    def patch(self, path: str) -> Patch:
        """The candidate as a patch of the file that is called so."""
        return Patch(tuple(Hunk(path, first, old, new) for first, old, new in self.hunks))


@dataclass(frozen=True)
class JudgedBug:
    """A buggy program of one file, where its hunk is, and all candidates for it.

    It passes `passed` of its `tests` as it is.
    """

    name: str
    language: str
    text: str
    first: int
    last: int
    passed: int
    tests: int
    candidates: tuple[Judged, ...]

    def location(self, path: str) -> SuspiciousLocation:
        """The hunk, in the file that is called so."""
        return SuspiciousLocation(Location(path, self.first, self.last), 1.0, "given")


def load_or_judge(language: str, data: Path, most: int, cache: Path, bugs: int) -> list[JudgedBug]:
    """The first `bugs` bugs of a file; `cache` remembers them, a line each."""
    known = [parse_bug(line) for line in cache.read_text().splitlines()] if cache.exists() else []
    names = {bug.name for bug in known}
    judge = judge_python if language == "python" else judge_java
    if len(known) >= bugs:
        return known[:bugs]
    with cache.open("a") as file:
        for bug in islice(judge(data, most, names), bugs - len(known)):
            file.write(json.dumps(asdict(bug)) + "\n")
            file.flush()
            known.append(bug)
    return known


def parse_bug(line: str) -> JudgedBug:
    fields = json.loads(line)
    judged = []
    for each in fields.pop("candidates"):
        hunks = tuple((first, tuple(old), tuple(new)) for first, old, new in each.pop("hunks"))
        judged.append(Judged(hunks, **each))
    return JudgedBug(**fields, candidates=tuple(judged))


def find_hunk(buggy: str, right: str) -> tuple[int, int]:
    """First and last line that the reference changes; beside an insertion the lines next to it."""
    hunks = diff_texts({"f": buggy}, {"f": right}).hunks
    first = min(hunk.first if hunk.old else hunk.first - 1 for hunk in hunks)
    last = max(hunk.first + max(len(hunk.old) - 1, 0) for hunk in hunks)
    return max(first, 1), min(last, len(split_lines(buggy)))


def judge_python(data: Path, most: int, without: set[str]) -> Iterator[JudgedBug]:
    script = Path(__file__).with_name("python_judge.py")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(script, [sys.executable, "-I"]) as ask,
    ):
        dataset = humanevalfix.load(data, Path(folder))

        def judge(program: str, tests: str) -> tuple[int, int]:
            passed, total = ask(json.dumps({"program": program, "tests": tests})).split()
            return int(passed), int(total)

        for bug in dataset.bugs:
            if bug.name in without:
                continue
            text = (Path(bug.subject) / "solution.py").read_text()
            tests = (Path(bug.subject) / "test_solution.py").read_text()
            right = dataset.reference_program(bug).source.rstrip() + "\n"
            before, total = judge(text, tests)
            if before == total or judge(right, tests) != (total, total):
                continue
            first, last = find_hunk(text, right)
            found = []
            for patch, score, origin in templates_for("solution.py", text, first, last, most):
                passed, _ = judge(patch.apply_edits({"solution.py": text})["solution.py"], tests)
                found.append(Judged(hunks_of(patch), score, origin, passed, total))
            yield JudgedBug(bug.name, "python", text, first, last, before, total, tuple(found))


def hunks_of(patch: Patch) -> tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]:
    return tuple((hunk.first, hunk.old, hunk.new) for hunk in patch.hunks)


def judge_java(data: Path, most: int, without: set[str]) -> Iterator[JudgedBug]:
    java = ["java", "-XX:-UsePerfData", "-Xmx512m", "-XX:+UseSerialGC"]
    with running(Path(__file__).with_name("JavaJudge.java"), java) as ask:
        for line in data.read_text().splitlines():
            row = json.loads(line)
            if row["task_id"] in without:
                continue
            text = row["declaration"] + row["buggy_solution"].rstrip() + "\n"
            right = row["declaration"] + row["canonical_solution"].rstrip() + "\n"
            if ask(text + row["test"]) == "passed" or ask(right + row["test"]) != "passed":
                continue
            first, last = find_hunk(text, right)
            found = []
            for patch, score, origin in templates_for("Main.java", text, first, last, most):
                patched = patch.apply_edits({"Main.java": text})["Main.java"]
                passed = ask(patched + row["test"]) == "passed"
                found.append(Judged(hunks_of(patch), score, origin, int(passed), 1))
            yield JudgedBug(row["task_id"], "java", text, first, last, 0, 1, tuple(found))


def templates_for(
    path: str, text: str, first: int, last: int, most: int
) -> Iterator[tuple[Patch, float, str]]:
    """What the templates propose for these lines, best first."""
    place = SuspiciousLocation(Location(path, first, last), 1.0, "given")
    bug = Bug("/nowhere", TestCommand(RunnerKind.COMMAND))
    context = RepairContext(bug, {path: text}, (place,), (), {})
    generator = make_template_generator()
    for proposal in generator.propose(context, SearchNode(ROOT, None, Patch()), most):
        yield proposal.patch, proposal.score, proposal.origin


@contextmanager
def running(script: Path, command: Sequence[str]) -> Iterator[Callable[[str], str]]:
    """A judge in a sandbox: a function from what it is sent to the line that it answers."""
    sandbox = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    sandbox += ["--unshare-all", "--die-with-parent"]
    process = subprocess.Popen(
        [*sandbox, *command, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )

    def ask(text: str) -> str:
        data = text.encode()
        process.stdin.write(struct.pack(">i", len(data)) + data)
        process.stdin.flush()
        return process.stdout.readline().decode().strip()

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait(10)
