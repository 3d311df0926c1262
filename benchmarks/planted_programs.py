"""Correct programs of public benchmarks, and changes of them of which it is known what they do.

The programs are QuixBugs' correct versions with their own tests, and HumanEvalFix' canonical
solutions with the example tests of their tasks. A mutant is wanted when it passes those tests and
the benchmark's other tests, or inputs made by the benchmark loaders, show it to differ.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from planted_changes import mutants, rewritings
from planted_pairs import Pair, printed, write_files

from apr.datasets import differential_child, humanevalfix, quixbugs
from apr.datasets.cases import Case
from apr.datasets.dataset import Dataset, ReferenceProgram
from apr.datasets.differential import outcomes_agree
from apr.datasets.split_checks import find_argument_lists, split_check

MUTANTS_TRIED = 80
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
    def sources(self) -> Mapping[str, str]:
        return {self.path: printed(self.files[self.path])}

    def make_pairs(self, count: int, rng: Random) -> list[Pair]:
        found: list[Pair] = []
        source = self.files[self.path]
        tried = list(islice(mutants(source, self.entry_point, rng), MUTANTS_TRIED))
        for (text, change), is_wanted in zip(tried, screen(self, tried), strict=False):
            if is_wanted and len(found) < 2 * count:
                found.append(self._pair(change, text, differs=True))
        kept: dict[str, Pair] = {}
        for text, change in rewritings(source, self.entry_point, rng):
            kept.setdefault(change, self._pair(change, text, differs=False))
        return [*found, *list(kept.values())[:count]]

    def _pair(self, change: str, text: str, *, differs: bool) -> Pair:
        return Pair(self.name, change, self.path, self.entry_point, text + "\n", differs)

    def write(self, root: Path, pair: Pair, text: str) -> None:
        write_files(root, {**self.files, pair.path: text})


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
