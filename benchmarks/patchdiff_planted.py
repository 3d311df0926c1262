"""Measures PatchDiff on pairs of programs of which it is known whether they differ.

    python benchmarks/patchdiff_planted.py --quixbugs CHECKOUT --humanevalfix BUGS.jsonl --jobs 2

The programs are QuixBugs' correct versions with their own tests, and HumanEvalFix' canonical
solutions with the example tests of their tasks. Positives are mutants that those tests let pass
and that the benchmark's other tests, or inputs made by the benchmark loaders, show to differ;
what nothing shows to differ may be equivalent and is left out. Negatives are rewritings that keep
the behaviour by construction. `--pairs FILE` keeps the pairs for the next time.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from planted_changes import mutants, rewritings

from apr.core.bug import RunnerKind, TestCommand
from apr.core.errors import AprError
from apr.datasets import differential_child, humanevalfix, quixbugs
from apr.datasets.cases import Case
from apr.datasets.dataset import Dataset, ReferenceProgram
from apr.datasets.differential import outcomes_agree
from apr.datasets.split_checks import find_argument_lists, split_check
from validation.patchdiff.engine import Subject, compare_versions
from validation.patchdiff.model import DiffReport, DiffSettings, DiffVerdict
from validation.patchdiff.sessions import Place, Version
from validation.runners.base import RunLimits
from validation.runners.python import toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox

MUTANTS_TRIED = 40
ORACLE_CASES = 300
SCREEN_S = 20.0


@dataclass(frozen=True, slots=True)
class Program:
    """A correct program with the files of its suite; `suite` holds the inputs of its tests."""

    name: str
    path: str
    entry_point: str
    files: dict[str, str]
    suite: tuple[Case, ...]
    reference: ReferenceProgram
    hidden: tuple[Case, ...] = ()

    @property
    def text(self) -> str:
        """The program as it is printed from its syntax tree."""
        return ast.unparse(ast.parse(self.files[self.path])) + "\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of one program, and whether they differ."""

    program: str
    change: str
    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Row:
    """What was found out about one pair."""

    pair: Pair
    verdict: str
    reason: str
    question: str
    proven: bool
    executions: int
    first_s: float | None
    duration_s: float


def load_programs(root: Path | None, jsonl: Path | None, work: Path) -> list[Program]:
    """All programs of the benchmarks named."""
    programs: list[Program] = []
    if root is not None:
        dataset = quixbugs.load(root, work / "quixbugs")
        programs += [p for p in (_quixbugs(dataset, bug, root) for bug in dataset.bugs) if p]
    if jsonl is not None:
        lines = jsonl.read_text(encoding="utf-8").splitlines()
        dataset = humanevalfix.load(jsonl, work / "humanevalfix")
        tasks = [json.loads(line) for line in lines if line.strip()]
        programs += [p for p in (_humaneval(dataset, task) for task in tasks) if p is not None]
    return programs


def _quixbugs(dataset: Dataset, bug, root: Path) -> Program | None:
    reference = dataset.reference_program(bug)
    subject = Path(bug.subject)
    files = {
        path.relative_to(subject).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(subject.rglob("*"))
        if path.is_file()
    }
    seeds = quixbugs._load_seeds(root / quixbugs.CASES / f"{bug.name}.json")
    if reference is None:
        return None
    files[reference.path] = reference.source
    suite = tuple(Case(args) for args in seeds)
    return Program(f"quixbugs/{bug.name}", reference.path, bug.name, files, suite, reference)


def _humaneval(dataset: Dataset, task: dict[str, str]) -> Program | None:
    bug = next(bug for bug in dataset.bugs if bug.name == task["task_id"])
    reference = dataset.reference_program(bug)
    name = task["entry_point"]
    if reference is None or "def check(" not in task["example_test"]:
        return None
    tests = split_check(task["example_test"], reference.source, humanevalfix.MODULE, name)
    path = reference.path
    files = {path: reference.source, f"test_{path}": tests, "pytest.ini": "[pytest]\n"}
    suite = tuple(Case(args) for args in find_argument_lists(task["example_test"], name))
    hidden = tuple(Case(args) for args in find_argument_lists(task["test"], name))
    return Program(bug.name, path, name, files, suite, reference, hidden)


def make_pairs(program: Program, per_program: int, seed: int) -> list[Pair]:
    """Surviving mutants that are known to differ, and as many rewritings."""
    rng = Random(f"{seed} {program.name}")
    found: list[Pair] = []
    source = program.files[program.path]
    tried = list(islice(mutants(source, program.entry_point, rng), MUTANTS_TRIED))
    for (text, change), is_wanted in zip(tried, screen(program, tried), strict=False):
        if is_wanted and len(found) < 2 * per_program:
            found.append(Pair(program.name, change, text + "\n", differs=True))
    kept: dict[str, Pair] = {}
    for text, change in rewritings(source, program.entry_point, rng):
        kept.setdefault(change, Pair(program.name, change, text + "\n", differs=False))
    return [*found, *list(kept.values())[:per_program]]


_programs: list[Program] = []
"""For the processes of a pool, which are forked from this one: programs cannot be pickled."""


def _may_have_children() -> None:
    multiprocessing.current_process()._config["daemon"] = False


def _make_pairs_of(work: tuple[int, int, int]) -> list[Pair]:
    index, per_program, seed = work
    return make_pairs(_programs[index], per_program, seed)


def screen(program: Program, tried: Sequence[tuple[str, str]]) -> Iterator[bool]:
    """For each text whether it passes the suite and is known to differ.

    They run in a process of their own, with a time limit for each call; after a text that cannot
    be interrupted, the process starts anew with the next one.
    """
    start = 0
    while start < len(tried):
        receiver, sender = multiprocessing.Pipe(duplex=False)
        texts = [text for text, _ in tried[start:]]
        process = multiprocessing.Process(target=_screen_all, args=(program, texts, sender))
        process.start()
        sender.close()
        try:
            while start < len(tried) and receiver.poll(SCREEN_S):
                yield receiver.recv()
                start += 1
        except EOFError:
            pass
        process.kill()
        process.join()
        if start < len(tried):
            yield False
            start += 1


def _screen_all(program: Program, texts: Sequence[str], sender: Connection) -> None:
    signal.signal(signal.SIGPROF, differential_child._raise_timeout)
    differential_child._limit_resources(2048)
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - it ends with the process
    suite = _expected(program, iter(program.suite), 100)
    # Inputs that the engine does not make: hidden tests, and the loaders' own generators.
    others = chain(program.hidden, program.reference.cases(12345))
    oracle = _expected(program, others, ORACLE_CASES)
    for text in texts:
        function = _load(text, program.entry_point)
        survives = function is not None and not _differs(program, function, suite)
        sender.send(survives and _differs(program, function, oracle))


def _load(text: str, name: str) -> Callable[..., Any] | None:
    try:
        return differential_child.load_function(text, name)
    except Exception:  # noqa: BLE001 - whatever a mutant raises, it is of no use
        return None


Expected = list[tuple[Case, dict[str, Any]]]


def _expected(program: Program, cases: Iterator[Case], wanted: int) -> Expected:
    """Inputs on which the reference returns, with what it returns."""
    function = differential_child.load_function(program.reference.source, program.entry_point)
    found: Expected = []
    for case in islice(cases, 3 * wanted):
        outcome = differential_child.call(function, case.to_json(), 0.02)
        if "value" in outcome and len(found) < wanted:
            found.append((case, outcome))
    return found


def _differs(program: Program, function: Callable[..., Any], expected: Expected) -> bool:
    return any(
        not outcomes_agree(
            wanted,
            differential_child.call(function, case.to_json(), 0.2),
            program.reference.tolerance(case),
        )
        for case, wanted in expected
    )


def judge(pair: Pair, program: Program, place: Place, settings: DiffSettings, work: Path) -> Row:
    """Run the engine on the pair, as `apr diff` does."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        texts = (program.text, pair.text)
        versions = tuple(
            _write(Path(folder) / name / "subject", name, program, text)
            for name, text in zip(("left", "right"), texts, strict=True)
        )
        subject = Subject(
            versions,
            tuple({program.path: text} for text in texts),
            None,
            {program.path: program.text},
            place,
            RunLimits(test_s=5.0, total_s=60.0),
        )
        report = compare_versions(subject, settings)
    return _row(pair, report, time.monotonic() - started)


def _write(root: Path, name: str, program: Program, text: str) -> Version:
    for path, content in {**program.files, program.path: text}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    return Version(name, root)


def _row(pair: Pair, report: DiffReport, seconds: float) -> Row:
    found = report.discrepancies[0] if report.discrepancies else None
    witness = found.witness if found is not None else None
    return Row(
        pair,
        "killed" if report.suite else report.verdict.value,
        report.reason,
        found.question if found is not None else "",
        witness is not None and witness.is_proven,
        report.executions,
        report.first_s,
        seconds,
    )


def summarise(rows: Sequence[Row]) -> str:
    """The table of verdicts, recall, false alarms and times."""
    lines = []
    for differs, title in ((True, "positives"), (False, "negatives")):
        chosen = [row for row in rows if row.pair.differs is differs and row.verdict != "killed"]
        counts = Counter(row.verdict for row in chosen)
        told = ", ".join(f"{verdict} {number}" for verdict, number in sorted(counts.items()))
        hits = counts[DiffVerdict.DIVERGENT.value]
        share = 100 * hits / max(len(chosen), 1)
        name = "recall" if differs else "false alarms"
        lines.append(
            f"{title}: {len(chosen)} ({told}); {name} {hits}/{len(chosen)} = {share:.1f} %"
        )
    killed = sum(row.verdict == "killed" for row in rows)
    firsts = [row.first_s for row in rows if row.pair.differs and row.first_s is not None]
    proven = [row for row in rows if row.verdict == DiffVerdict.DIVERGENT.value]
    lines.append(f"left out, since the suite itself tells them apart: {killed}")
    if firsts:
        lines.append(f"median seconds to the first discrepancy: {statistics.median(firsts):.1f}")
    lines.append(f"median seconds a pair: {statistics.median(r.duration_s for r in rows):.1f}")
    lines.append(f"proven tests: {sum(row.proven for row in proven)} of {len(proven)}")
    for kind in sorted({row.pair.change for row in rows}):
        chosen = [r for r in rows if r.pair.change == kind and r.verdict != "killed"]
        hits = sum(row.verdict == DiffVerdict.DIVERGENT.value for row in chosen)
        lines.append(f"  {kind}: {hits} of {len(chosen)} divergent")
    return "\n".join(lines)


def load_pairs(
    programs: Sequence[Program], kept: Path | None, per_program: int, seed: int, jobs: int
) -> list[Pair]:
    """The pairs of an earlier time, or new ones."""
    if kept is not None and kept.is_file():
        return [Pair(**each) for each in json.loads(kept.read_text(encoding="utf-8"))]
    _programs.extend(programs)
    work = [(index, per_program, seed) for index in range(len(programs))]
    pairs: list[Pair] = []
    with multiprocessing.Pool(jobs, initializer=_may_have_children) as pool:
        for made in pool.imap(_make_pairs_of, work):
            pairs += made
            print(f"{len(pairs)} pairs", end="\r", file=sys.stderr, flush=True)
    if kept is not None:
        kept.write_text(json.dumps([asdict(pair) for pair in pairs], indent=1), encoding="utf-8")
    return pairs


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a pair and the totals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quixbugs", type=Path)
    parser.add_argument("--humanevalfix", type=Path)
    parser.add_argument("--pairs", type=Path, help="where the pairs are kept")
    parser.add_argument("--per-program", type=int, default=2, help="negatives, half the positives")
    parser.add_argument("--limit", type=int, help="judge only so many pairs")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--inputs", type=int, default=1200, help="of one function, at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(argv)
    settings = replace(
        DiffSettings(wanted=1),
        seconds=options.seconds,
        seed=options.seed,
        repeats=options.repeats,
        inputs=options.inputs,
    )
    readable = (*python_readable_paths(sys.executable), str(HARNESS_ROOT), str(toolbox()))
    with (
        tempfile.TemporaryDirectory() as work,
        closing(open_sandbox("auto", SandboxPolicy(readable_paths=readable))) as sandbox,
    ):
        programs = load_programs(options.quixbugs, options.humanevalfix, Path(work))
        by_name = {program.name: program for program in programs}
        pairs = load_pairs(programs, options.pairs, options.per_program, options.seed, options.jobs)
        positives = sum(pair.differs for pair in pairs)
        print(
            f"{len(programs)} programs, {positives} positives, {len(pairs) - positives} negatives"
        )
        place = Place(sandbox, TestCommand(RunnerKind.PYTEST, (), sys.executable))

        def run(pair: Pair) -> Row:
            try:
                row = judge(pair, by_name[pair.program], place, settings, Path(work))
            except AprError as error:
                row = Row(pair, "error", str(error), "", False, 0, None, 0.0)
            sign = "+" if pair.differs else "-"
            told = row.question or row.reason
            print(f"{sign} {pair.program} [{pair.change}] {row.verdict}: {told}", flush=True)
            return row

        with ThreadPoolExecutor(options.jobs) as pool:
            rows = list(pool.map(run, pairs[: options.limit]))
    print(f"sandbox: {sandbox.name}; {len(rows)} pairs")
    print(summarise(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
