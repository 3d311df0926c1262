"""Any folder of bugs: one TOML or JSON file a bug, beside or above its subject.

A file named `bug.toml`, `bug.json`, `NAME.bug.toml` or `NAME.bug.json` describes one bug:

    name = "empty-cart"               # default: NAME, or the name of the file's folder
    subject = "subject"               # relative to this file; default: the file's own folder
    runner = "pytest"                 # pytest (default), unittest or command
    argv = ["tests"]                  # the runner's arguments, or the whole command
    junit_globs = ["reports/*.xml"]   # for runner = "command": where its outcomes are
    trigger_tests = ["tests/test_cart.py::test_empty"]   # default: whatever fails
    source_globs = ["src/**/*.py"]    # what a patch may touch; default: all but the tests
    issue_text = "Checking out an empty cart crashes."
    reference_patch = "correct.patch" # relative to this file; opened only to judge
    [environment]                     # variables of the test command
    PYTHONPATH = "src"
    [properties]                      # anything else worth reporting
    kind = "missing guard"

All keys are optional. Bugs are ordered by the path of their files.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import BadInputError
from apr.datasets.dataset import Dataset

_STRINGS = ("name", "subject", "runner", "issue_text", "reference_patch")
_LISTS = ("argv", "junit_globs", "trigger_tests", "source_globs")
_TABLES = ("environment", "properties")


@dataclass(frozen=True, slots=True)
class _Entry:
    bug: Bug
    reference_patch: Path | None


def load(root: Path, names: Sequence[str] | None = None, python: str = sys.executable) -> Dataset:
    """The bugs described below `root`, or those named.

    Raises:
        BadInputError: when there is none, a description is wrong, or a name is unknown or double.
    """
    entries = {}
    for path in _find_descriptions(root):
        entry = _load_entry(path, python)
        if entry.bug.name in entries:
            raise BadInputError(f"{root} describes two bugs named {entry.bug.name}")
        entries[entry.bug.name] = entry
    unknown = sorted(set(names or ()) - set(entries))
    if unknown or not entries:
        missing = f"named {', '.join(unknown)}" if unknown else "(no bug.toml or bug.json below it)"
        raise BadInputError(f"{root} has no bug {missing}")
    bugs = tuple(e.bug for name, e in entries.items() if names is None or name in names)
    return Dataset(
        name=root.resolve().name,
        bugs=bugs,
        reference_patch=lambda bug: _read_patch(entries[bug.name].reference_patch),
    )


def load_bug(path: Path, python: str = sys.executable) -> Bug:
    """The bug that one file describes.

    Raises:
        BadInputError: when the description is wrong.
    """
    return _load_entry(path, python).bug


def _find_descriptions(root: Path) -> list[Path]:
    return sorted(
        path
        for suffix in ("toml", "json")
        for path in root.rglob(f"*bug.{suffix}")
        if path.name == f"bug.{suffix}" or path.name.endswith(f".bug.{suffix}")
    )


def _read_patch(path: Path | None) -> str | None:
    return path.read_bytes().decode("utf-8", "surrogateescape") if path else None


def _load_entry(path: Path, python: str) -> _Entry:
    fields = _load_fields(path)
    subject = (path.parent / fields.get("subject", ".")).resolve()
    if not subject.is_dir():
        raise BadInputError(f"{path} names the subject {subject}, which is no folder")
    patch = fields.get("reference_patch")
    command = TestCommand(
        kind=_parse_runner(fields.get("runner", "pytest"), path),
        argv=tuple(fields.get("argv", ())),
        python=python,
        junit_globs=tuple(fields.get("junit_globs", ())),
        environment=_pairs(fields.get("environment", {})),
    )
    bug = Bug(
        subject=str(subject),
        test_command=command,
        trigger_tests=tuple(map(TestId, fields.get("trigger_tests", ()))),
        source_globs=tuple(fields.get("source_globs", ())),
        issue_text=fields.get("issue_text"),
        name=fields.get("name", _default_name(path)),
        properties=_pairs(fields.get("properties", {})),
    )
    return _Entry(bug, path.parent / patch if patch else None)


def _load_fields(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        fields = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise BadInputError(f"{path} describes no bug: it holds a {type(fields).__name__}")
    _check_fields(fields, path)
    return fields


def _check_fields(fields: Mapping[str, Any], path: Path) -> None:
    for key, value in fields.items():
        if key in _STRINGS:
            fits = isinstance(value, str)
        elif key in _LISTS:
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        elif key in _TABLES:
            fits = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        else:
            known = ", ".join((*_STRINGS, *_LISTS, *_TABLES))
            raise BadInputError(f"{path} has the unknown key {key}; known are {known}")
        if not fits:
            raise BadInputError(f"{path}: the value of {key} has the wrong type")


def _parse_runner(name: str, path: Path) -> RunnerKind:
    try:
        return RunnerKind(name)
    except ValueError:
        kinds = ", ".join(RunnerKind)
        raise BadInputError(f"{path}: runner {name} is none of {kinds}") from None


def _pairs(table: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(table.items()))


def _default_name(path: Path) -> str:
    return path.name.split(".bug.")[0] if ".bug." in path.name else path.resolve().parent.name
