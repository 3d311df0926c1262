"""The verdict on every template candidate for the hunk of a HumanEvalFix bug, Python or Java.

The hunk is what the reference solution changes; nothing else of the reference is used. Python bugs
are judged by APR itself. Java ones are compiled and run one after the other in one virtual machine
(JavaJudge.java) inside bubblewrap, since APR starts two for each candidate.
"""

from __future__ import annotations

import json
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from apr.bootstrap import bootstrap, make_template_generator
from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Hunk, Patch, diff_texts, split_lines
from apr.core.ports import RepairContext
from apr.core.run import Budget
from apr.core.tree import ROOT, SearchNode
from apr.datasets import humanevalfix
from apr.settings import AppSettings, RunSettings

SUFFIXES = {"python": ".py", "java": ".java"}


@dataclass(frozen=True)
class Judged:
    """A candidate, best first in its bug's list, and how many of `total` tests it passes.

    `is_fix` also asks that no other test fails; `progress` is that of `ValidationReport`.
    """

    hunks: tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]
    score: float
    origin: str
    is_fix: bool
    passed: int
    total: int
    progress: float

    def patch(self, path: str) -> Patch:
        """The candidate as a patch of the file that is called so."""
        return Patch(tuple(Hunk(path, first, old, new) for first, old, new in self.hunks))


@dataclass(frozen=True)
class JudgedBug:
    """A buggy program of one file, where its hunk is, and all candidates for it."""

    name: str
    language: str
    text: str
    first: int
    last: int
    tests: int
    candidates: tuple[Judged, ...]

    def location(self, path: str) -> SuspiciousLocation:
        """The hunk, in the file that is called so."""
        return SuspiciousLocation(Location(path, self.first, self.last), 1.0, "given")


def load_or_judge(language: str, data: Path, most: int, cache: Path) -> list[JudgedBug]:
    """All bugs of a file; `cache` remembers them, a line each."""
    known = [parse_bug(line) for line in cache.read_text().splitlines()] if cache.exists() else []
    names = {bug.name for bug in known}
    judge = judge_python if language == "python" else judge_java
    with cache.open("a") as file:
        for bug in judge(data, most, names):
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
    with tempfile.TemporaryDirectory() as folder:
        service = bootstrap(AppSettings(data_dir=Path(folder) / "data"))
        dataset = humanevalfix.load(data, Path(folder) / "bugs")
        for bug in dataset.bugs:
            if bug.name in without:
                continue
            reference = dataset.reference_program(bug)
            text = (Path(bug.subject) / "solution.py").read_text()
            first, last = find_hunk(text, reference.source.rstrip() + "\n")
            settings = RunSettings(
                policy="enumerate",
                locations=(f"solution.py:{first}-{last}",),
                max_depth=1,
                patches=most + 1,
                confirmations=1,
                test_timeout_s=5,
            )
            run = service.submit_run(bug, settings, Budget(candidates=most), 0)
            service.execute_run(run.id)
            nodes = service.tree(run.id).nodes[1:]
            total = nodes[0].report.triggers_total if nodes else 1
            yield JudgedBug(
                bug.name, "python", text, first, last, total, tuple(map(from_node, nodes))
            )


def from_node(node: SearchNode) -> Judged:
    report = node.report
    return Judged(
        hunks_of(node.patch),
        node.prior,
        node.origin,
        report.is_plausible,
        report.triggers_passed,
        report.triggers_total,
        report.progress,
    )


def hunks_of(patch: Patch) -> tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]:
    return tuple((hunk.first, hunk.old, hunk.new) for hunk in patch.hunks)


def judge_java(data: Path, most: int, without: set[str]) -> Iterator[JudgedBug]:
    with running_judge() as judge:
        for line in data.read_text().splitlines():
            row = json.loads(line)
            if row["task_id"] in without:
                continue
            text = row["declaration"] + row["buggy_solution"].rstrip() + "\n"
            right = row["declaration"] + row["canonical_solution"].rstrip() + "\n"
            if judge(text + row["test"]) != "failed" or judge(right + row["test"]) != "passed":
                continue
            first, last = find_hunk(text, right)
            found = []
            for patch, score, origin in templates_for(text, first, last, most):
                patched = patch.apply_edits({"Solution.java": text})["Solution.java"]
                passed = judge(patched + row["test"]) == "passed"
                found.append(Judged(hunks_of(patch), score, origin, passed, int(passed), 1, 0.5))
            yield JudgedBug(row["task_id"], "java", text, first, last, 1, tuple(found))


def templates_for(
    text: str, first: int, last: int, most: int
) -> Iterator[tuple[Patch, float, str]]:
    place = SuspiciousLocation(Location("Solution.java", first, last), 1.0, "given")
    bug = Bug("/nowhere", TestCommand(RunnerKind.COMMAND))
    context = RepairContext(bug, {"Solution.java": text}, (place,), (), {})
    generator = make_template_generator()
    for proposal in generator.propose(context, SearchNode(ROOT, None, Patch()), most):
        yield proposal.patch, proposal.score, proposal.origin


@contextmanager
def running_judge():
    """A function that says what becomes of a Java program."""
    source = Path(__file__).with_name("JavaJudge.java")
    command = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--tmpfs",
        "/tmp",
    ]
    command += ["--ro-bind", str(source), "/tmp/JavaJudge.java", "--unshare-all"]
    command += ["--die-with-parent", "java", "-XX:-UsePerfData", "-Xmx512m", "-XX:+UseSerialGC"]
    command += ["/tmp/JavaJudge.java"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )

    def judge(text: str) -> str:
        data = text.encode()
        process.stdin.write(struct.pack(">i", len(data)) + data)
        process.stdin.flush()
        return process.stdout.readline().decode().strip()

    try:
        yield judge
    finally:
        process.stdin.close()
        process.wait(10)
