"""Released packages with the tests in their source distributions, and known changes of them.

Get the distributions with `pip download --no-deps --no-binary :all: NAME ...`. The package's own
tests are run on each mutant. One is wanted when at most `MOST_KILLERS` test functions tell it from
the original while another test that calls the changed function does not: those few are then left
out of the suite, so that the mutant survives it, and are the proof that it differs. They pass on
the original and fail on the mutant twice, the second time in a run of the whole suite. A mutant
that no test kills may be equivalent, and is no pair.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest
from planted_changes import mutants, rewritings
from planted_pairs import Pair, printed, write_files

from validation.patchdiff.targets import list_functions

SUITE_S = 300.0
MOST_KILLERS = 3
MOST_FAILURES = 30
"""After so many failed cases a mutant is no longer run: too many tests tell."""
MUTANTS_A_FUNCTION = 5
PAIRS_A_FUNCTION = 2
FUNCTIONS_A_PAIR = 3
"""So many functions are looked at for each pair wanted of a package."""
PROGRAMS_A_PACKAGE = 3
"""A package stands for so many programs of a single function."""
SHORTEST = 3
"""Lines of a function that is worth changing."""
CONFIGURATION = "[pytest]\npythonpath = . src\npython_files = test*.py *_test.py *_tests.py\n"
Callers = dict[tuple[str, int], set[str]]
"""By path and first line of a function the test functions that call it."""


@dataclass(frozen=True, slots=True)
class Package:
    """An unpacked distribution."""

    name: str
    root: Path

    @property
    def sources(self) -> Mapping[str, str]:
        return {
            path.relative_to(self.root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(self.root.rglob("*.py"))
        }

    def make_pairs(self, count: int, rng: Random) -> list[Pair]:
        """None when fewer than half of its tests pass here."""
        count *= PROGRAMS_A_PACKAGE
        ran = run_suite(self.root, (), traced=True)
        unusable = tuple(sorted(test for test, passed in ran.passed.items() if not passed))
        usable = ran.passed.keys() - set(unusable)
        if not ran.is_over or 2 * len(unusable) > len(ran.passed):
            return []
        functions = sorted(self._functions(ran.callers, set(unusable)))
        rng.shuffle(functions)
        mutated: list[Pair] = []
        rewritten: dict[str, Pair] = {}
        for path, name, first in functions[: FUNCTIONS_A_PAIR * count]:
            tests = ran.callers[path, first] - set(unusable)
            source = printed((self.root / path).read_text(encoding="utf-8"))
            if len(mutated) < 2 * count:
                found = self._mutate(path, name, source, tests, usable, unusable, rng)
                mutated += islice(found, PAIRS_A_FUNCTION)
            for text, change in islice(rewritings(source, name, rng), 4):
                pair = Pair(self.name, change, path, name, text + "\n", False, unusable)
                rewritten.setdefault(change, pair)
        return [*mutated[: 2 * count], *list(rewritten.values())[:count]]

    def _functions(self, callers: Callers, unusable: set[str]) -> Iterator[tuple[str, str, int]]:
        """Functions of the package that at least two tests call."""
        for path, text in self.sources.items():
            if any(part.startswith("test") for part in Path(path).with_suffix("").parts):
                continue
            for span in list_functions(path, text):
                tests = callers.get((path, span.first), set()) - unusable
                is_long = span.last - span.first >= SHORTEST
                if len(tests) > 1 and is_long and span.can_be_called:
                    yield path, span.name, span.first

    def _mutate(
        self,
        path: str,
        name: str,
        source: str,
        tests: set[str],
        usable: Set[str],
        unusable: tuple[str, ...],
        rng: Random,
    ) -> Iterator[Pair]:
        for text, change in islice(mutants(source, name, rng), MUTANTS_A_FUNCTION):
            killers = self._killers(path, text + "\n", sorted(tests), tests)
            if not killers or killers == tests:
                continue
            # Tests that call it while they are collected were not seen to call it.
            more = self._killers(path, text + "\n", (), usable)
            if killers <= more:
                hidden = (*unusable, *sorted(more))
                yield Pair(self.name, change, path, name, text + "\n", True, hidden)

    def _killers(
        self, path: str, mutant: str, tests: Sequence[str], expected: Set[str]
    ) -> frozenset[str]:
        """Those expected to pass that do not when these tests, or all, are run on the mutant.

        Empty when they are too many, or when the run did not end.
        """
        with _changed(self.root / path, mutant):
            ran = run_suite(self.root, tests)
        found = frozenset(test for test in expected if not ran.passed.get(test, False))
        return found if ran.is_over and len(found) <= MOST_KILLERS else frozenset()

    def write(self, root: Path, pair: Pair, text: str) -> None:
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("__pycache__", ".git"))
        left_out = "".join(f"    --deselect={test}\n" for test in pair.hidden)
        write_files(root, {pair.path: text, "pytest.ini": f"{CONFIGURATION}addopts =\n{left_out}"})


@contextmanager
def _changed(path: Path, text: str) -> Iterator[None]:
    """The file with another text, for as long as the block lasts."""
    before, times = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def load_packages(folder: Path, work: Path) -> list[Package]:
    """The packages of the source distributions in the folder."""
    found = []
    for archive in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(archive) as opened:
            opened.extractall(work, filter="data")
        name = archive.name.removesuffix(".tar.gz")
        write_files(work / name, {"pytest.ini": CONFIGURATION})
        found.append(Package(name, work / name))
    return found


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of a suite: by test function whether all its cases passed."""

    passed: dict[str, bool]
    callers: Callers
    is_over: bool


def run_suite(root: Path, tests: Sequence[str], *, traced: bool = False) -> Ran:
    """Run these tests, or all, in a process forked from this one, for `SUITE_S` at most."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_run_forked, args=(root, tests, traced, sender))
    process.start()
    sender.close()
    try:
        passed, callers = receiver.recv() if receiver.poll(SUITE_S) else ({}, {})
    except EOFError:
        passed, callers = {}, {}
    process.kill()
    process.join()
    return Ran(passed, callers, bool(passed))


def _run_forked(root: Path, tests: Sequence[str], traced: bool, sender: Connection) -> None:
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    os.chdir(root)
    # What the first run compiled is used by all others; mutants of one second must not share it.
    sys.dont_write_bytecode = not traced
    _forget_modules(root)
    plugin = _Recorder(root, traced)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--tb=no"]
    if not traced:
        options.append(f"--maxfail={MOST_FAILURES}")
    pytest.main([*options, *tests], plugins=[plugin])
    sender.send((plugin.passed, plugin.callers))


def _forget_modules(root: Path) -> None:
    """Modules that this process got from elsewhere would hide the package's own."""
    own = {path.stem for place in (root, root / "src") for path in place.glob("*")}
    for name in [name for name in sys.modules if name.partition(".")[0] in own - {"pytest"}]:
        del sys.modules[name]


class _Recorder:
    def __init__(self, root: Path, traced: bool) -> None:
        self.passed: dict[str, bool] = {}
        self.callers: Callers = {}
        self._prefix = f"{root}{os.sep}"
        self._traced = traced

    def pytest_runtest_logreport(self, report: Any) -> None:
        test = report.nodeid.partition("[")[0]
        if not report.skipped:
            self.passed[test] = self.passed.get(test, True) and not report.failed

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        test = item.nodeid.partition("[")[0]

        def note(frame: FrameType, event: str, argument: object) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(self._prefix):
                key = (code.co_filename.removeprefix(self._prefix), code.co_firstlineno)
                self.callers.setdefault(key, set()).add(test)

        sys.setprofile(note if self._traced else None)
        yield
        sys.setprofile(None)
