"""HumanEvalFix's Python, Java and JavaScript bugs (Muennighoff et al. 2023; arXiv:2308.07124).

Only the Python ones come with a reference program: what it does on more inputs is asked of Python
alone. The canonical solutions of the others serve as reference patches.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import BadInputError
from apr.datasets import humanevalfix_java as java
from apr.datasets import humanevalfix_javascript as javascript
from apr.datasets.dataset import Dataset, ReferenceProgram, diff_to
from apr.datasets.inputs import Args, generate_cases
from apr.datasets.java import compile_bug
from apr.datasets.split_checks import find_argument_lists, split_check

MODULE = "solution"
LANGUAGES = ("python", "java", "javascript")
FIELDS = ("task_id", "declaration", "buggy_solution", "test", "entry_point")

_EXAMPLES_BY_ANNOTATION: dict[str, tuple[Any, ...]] = {
    "str": ("", "a", "hello", "abcxyz", "two words"),
    "int": (0, 1, 2, 7, 20),
    "float": (0.0, 0.5, 1.0, 7.25),
    "list": ([], [1], [3, 1, 2], [5, 5, 1, 0, 9]),
    "bool": (False, True),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One bug's published text, without the solution."""

    name: str
    buggy: str
    test: str
    entry_point: str
    bug_type: str


def load(
    jsonl: Path,
    work: Path,
    names: Sequence[str] | None = None,
    language: str = "python",
    python: str = sys.executable,
) -> Dataset:
    """The bugs of a published file, or those named ("Python/0"); one subject folder each.

    `language` is one of `LANGUAGES`. The canonical solution is read to judge and never written to
    disk. The task's prose is not part of a bug: its tests are the oracle.

    Raises:
        BadInputError: when the file is unreadable, lacks fields, or the language is another.
        EnvironmentUnusableError: when what runs the language is not installed.
    """
    if language not in LANGUAGES:
        raise BadInputError(f"HumanEvalFix in {language} cannot be loaded: {', '.join(LANGUAGES)}")
    rows = [_parse_row(line, jsonl) for line in _read_lines(jsonl)]
    unknown = sorted(set(names or ()) - {row.name for row in rows})
    if unknown:
        raise BadInputError(f"{jsonl} has no bug named {', '.join(unknown)}")
    wanted = [row for row in rows if names is None or row.name in names]
    bugs = tuple(
        _make_bug(row, work / row.name.replace("/", "-"), language, python) for row in wanted
    )
    if language == "python":
        return Dataset("humanevalfix", bugs, partial(_load_reference, jsonl))
    found = Dataset(f"humanevalfix-{language}", bugs, reference_patch=partial(_load_patch, jsonl))
    return replace(found, prepare=compile_bug) if language == "java" else found


def _read_lines(jsonl: Path) -> list[str]:
    try:
        text = jsonl.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{jsonl} cannot be read: {error}") from error
    return [line for line in text.split("\n") if line.strip()]


def _parse_fields(line: str, jsonl: Path) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise BadInputError(f"{jsonl} is no JSON-lines file: {error}") from error
    missing = [name for name in FIELDS if not isinstance(fields, dict) or name not in fields]
    if missing:
        raise BadInputError(f"a line of {jsonl} lacks {', '.join(missing)}")
    return dict(fields)


def _parse_row(line: str, jsonl: Path) -> _Row:
    fields = _parse_fields(line, jsonl)
    return _Row(
        name=fields["task_id"],
        buggy=fields["declaration"] + fields["buggy_solution"],
        test=fields["test"],
        entry_point=fields["entry_point"],
        bug_type=fields.get("bug_type", ""),
    )


def _make_bug(row: _Row, subject: Path, language: str, python: str) -> Bug:
    subject.mkdir(parents=True, exist_ok=True)
    program = row.buggy.rstrip() + "\n"
    if language == "python":
        path, command = f"{MODULE}.py", _write_python(row, program, subject, python)
    elif language == "java":
        path, command = java.PROGRAM, java.write_subject(program, row.test, subject)
    else:
        path, command = javascript.PROGRAM, javascript.write_subject(program, row.test, subject)
    return Bug(
        subject=str(subject.resolve()),
        test_command=command,
        source_globs=(path,),
        name=row.name,
        properties=(("bug_type", row.bug_type),),
    )


def _write_python(row: _Row, program: str, subject: Path, python: str) -> TestCommand:
    (subject / f"{MODULE}.py").write_text(program, encoding="utf-8")
    tests = split_check(row.test, program, MODULE, row.entry_point)
    (subject / f"test_{MODULE}.py").write_text(tests, encoding="utf-8")
    (subject / "pytest.ini").write_text("[pytest]\n")
    return TestCommand(RunnerKind.PYTEST, (f"test_{MODULE}.py",), python)


def _load_patch(jsonl: Path, bug: Bug) -> str:
    fields = _find_fields(jsonl, bug.name)
    (path,) = bug.source_globs
    source = fields["declaration"] + fields["canonical_solution"]
    return diff_to(bug, path, source.rstrip() + "\n")


def _load_reference(jsonl: Path, bug: Bug) -> ReferenceProgram:
    fields = _find_fields(jsonl, bug.name)
    source = fields["declaration"] + fields["canonical_solution"]
    seeds = _find_seeds(fields, source)
    return ReferenceProgram(
        path=f"{MODULE}.py",
        source=source,
        entry_point=fields["entry_point"],
        cases=lambda seed: generate_cases(seeds, seed),
        known_cases=len(seeds),
    )


def _find_fields(jsonl: Path, name: str) -> dict[str, Any]:
    rows = (_parse_fields(line, jsonl) for line in _read_lines(jsonl))
    return next(row for row in rows if row["task_id"] == name)


def _find_seeds(fields: dict[str, Any], source: str) -> list[Args]:
    """The arguments in the tests, or else values made for the annotated parameters."""
    seeds: list[Args] = []
    for text in (fields["test"], fields.get("example_test", "")):
        if "def check(" in text:
            seeds += find_argument_lists(text, fields["entry_point"])
    return seeds or _examples_for(source, fields["entry_point"])


def _examples_for(source: str, entry_point: str) -> list[Args]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry_point:
            annotations = [
                ast.unparse(a.annotation) if a.annotation else "" for a in node.args.args
            ]
            columns = [_EXAMPLES_BY_ANNOTATION.get(name, ()) for name in annotations]
            return list(zip(*columns, strict=False))
    return []
