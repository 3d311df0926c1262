"""QuixBugs' Java programs as bugs, under its JUnit tests (Ye et al. 2021 wrote most of them).

The limits on the clock that most tests have are left out: the harness limits processor time, so
that a busy machine fails no test.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from apr.core.bug import Bug
from apr.core.errors import BadInputError
from apr.datasets.dataset import Dataset, diff_to
from apr.datasets.java import PROGRAMS, TESTS, compile_bug, junit_command

PACKAGE, CORRECT = "java_programs", "correct_java_programs"
SUITES = "java_testcases/junit"
SHARED = (f"{PACKAGE}/Node.java", f"{PACKAGE}/WeightedEdge.java")
ORACLE = f"{SUITES}/QuixFixOracleHelper.java"
_TIMEOUT = re.compile(r"(@(?:org\.junit\.)?Test)\(timeout ?= ?\d+\)")


def load(root: Path, work: Path, names: Sequence[str] | None = None) -> Dataset:
    """The bugs of the checkout `root`, or those named ("gcd"); one subject folder each.

    The correct version is read by `reference_patch` alone.

    Raises:
        BadInputError: when `root` is no QuixBugs checkout or has no program of a given name.
    """
    known = list_programs(root)
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise BadInputError(f"QuixBugs has no Java program named {', '.join(unknown)}")
    wanted = [name for name in known if names is None or name in names]
    bugs = tuple(_make_bug(root, name, work / name) for name in wanted)
    return Dataset(
        "quixbugs-java", bugs, prepare=compile_bug, reference_patch=partial(_load_patch, root)
    )


def list_programs(root: Path) -> list[str]:
    """The names, as of the Python programs, of those that have a JUnit class, sorted."""
    tests = (root / SUITES).glob("*_TEST.java")
    names = sorted(path.stem.removesuffix("_TEST").lower() for path in tests)
    found = [name for name in names if (root / _program(name)).is_file()]
    if not found:
        raise BadInputError(f"{root} is no QuixBugs checkout: it has no {PACKAGE} with {SUITES}")
    return found


def _program(name: str) -> str:
    return f"{PACKAGE}/{name.upper()}.java"


def _make_bug(root: Path, name: str, subject: Path) -> Bug:
    test = f"{SUITES}/{name.upper()}_TEST.java"
    for path in (_program(name), *SHARED):
        _copy(root, path, subject / PROGRAMS)
    for path in (test, ORACLE):
        _copy(root, path, subject / TESTS)
    copied = subject / TESTS / test
    copied.write_text(_TIMEOUT.sub(r"\1", copied.read_text(encoding="utf-8")), encoding="utf-8")
    return Bug(
        subject=str(subject.resolve()),
        test_command=junit_command(test.removesuffix(".java").replace("/", ".")),
        source_globs=(f"{PROGRAMS}/{_program(name)}",),
        name=name,
    )


def _copy(root: Path, path: str, target: Path) -> None:
    if (root / path).is_file():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)


def _load_patch(root: Path, bug: Bug) -> str:
    (path,) = bug.source_globs
    text = (root / CORRECT / Path(path).name).read_text(encoding="utf-8")
    return diff_to(bug, path, re.sub(rf"\b{CORRECT}\b", PACKAGE, text))
