"""QuixBugs' Python programs as bugs (Lin et al. 2017; https://github.com/jkoppel/QuixBugs)."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import BadInputError
from apr.datasets.dataset import Dataset, ReferenceProgram
from apr.datasets.inputs import Args
from apr.datasets.quixbugs_inputs import make_cases, tolerance

PROGRAMS = "python_programs"
TESTS = "python_testcases"
CASES = "json_testcases"
REFERENCES = "correct_python_programs"
PYTEST_INI = "[pytest]\n"
"""Makes a subject its own root, whatever configuration lies in the folders above it."""


def load(
    root: Path, work: Path, names: Sequence[str] | None = None, python: str = sys.executable
) -> Dataset:
    """The bugs of the checkout `root`, or those named; one subject folder each below `work`.

    A subject holds the buggy program, its test file, and what these two need; the correct
    version is read by `reference_program` alone.

    Raises:
        BadInputError: when `root` is no QuixBugs checkout or has no program of a given name.
    """
    known = list_programs(root)
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise BadInputError(f"QuixBugs has no program named {', '.join(unknown)}")
    wanted = [name for name in known if names is None or name in names]
    bugs = tuple(_make_bug(root, name, work / name, python) for name in wanted)
    return Dataset("quixbugs", bugs, partial(_load_reference, root))


def list_programs(root: Path) -> list[str]:
    """The names of the programs that have a pytest file, sorted."""
    tests = sorted((root / TESTS).glob("test_*.py"))
    names = [test.stem.removeprefix("test_") for test in tests]
    found = [name for name in names if (root / PROGRAMS / f"{name}.py").is_file()]
    if not found:
        raise BadInputError(f"{root} is no QuixBugs checkout: it has no {PROGRAMS} with {TESTS}")
    return found


def _make_bug(root: Path, name: str, subject: Path, python: str) -> Bug:
    for path in _needed_files(root, name):
        target = subject / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target)
    (subject / "pytest.ini").write_text(PYTEST_INI)
    return Bug(
        subject=str(subject.resolve()),
        test_command=TestCommand(RunnerKind.PYTEST, (f"{TESTS}/test_{name}.py",), python),
        source_globs=(f"{PROGRAMS}/{name}.py",),
        name=name,
    )


def _needed_files(root: Path, name: str) -> Iterator[str]:
    yield "conftest.py"
    yield from _with_local_imports(root, PROGRAMS, name)
    yield from _with_local_imports(root, TESTS, f"test_{name}")
    if (root / CASES / f"{name}.json").is_file():
        yield f"{CASES}/{name}.json"


def _with_local_imports(root: Path, folder: str, module: str) -> Iterator[str]:
    """The module's file and those of its own folder that it imports, however indirectly."""
    pending, seen = [module], {module}
    while pending:
        path = f"{folder}/{pending.pop()}.py"
        yield path
        for imported in _imported_names((root / path).read_text(encoding="utf-8")):
            if imported not in seen and (root / folder / f"{imported}.py").is_file():
                seen.add(imported)
                pending.append(imported)


def _imported_names(source: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


def _load_reference(root: Path, bug: Bug) -> ReferenceProgram:
    name = bug.name
    seeds = _load_seeds(root / CASES / f"{name}.json")
    return ReferenceProgram(
        path=f"{PROGRAMS}/{name}.py",
        source=(root / REFERENCES / f"{name}.py").read_text(encoding="utf-8"),
        entry_point=name,
        cases=make_cases(name, seeds),
        tolerance=tolerance(name),
        known_cases=len(seeds),
    )


def _load_seeds(path: Path) -> list[Args]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    inputs = [json.loads(line)[0] for line in lines if line.strip()]
    return [tuple(args) if isinstance(args, list) else (args,) for args in inputs]
