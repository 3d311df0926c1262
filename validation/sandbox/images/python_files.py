"""Reads what a Python project requires: requirements files, pyproject.toml, setup.cfg.

The formats: pip's requirements file, PEP 621 (`[project]`), PEP 735 (`[dependency-groups]`) and
setuptools' declarative configuration. Nothing of the project is executed.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError

GROUPS = ("test", "tests", "testing", "dev")
"""The extras and dependency groups that a test run needs, by convention."""

_KINDS = "|".join(GROUPS)
_AT_ROOT = re.compile(rf"requirements([-_.]({_KINDS}))?\.txt|({_KINDS})[-_.]requirements\.txt")
_IN_FOLDER = re.compile(rf"(base|main|common|{_KINDS})\.txt")
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]*(\S+)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)[ =]*(\S+)")
_OWN_CODE = re.compile(r"(-e|--editable)\b|\.{1,2}($|/|\[)|file:")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(slots=True)
class _Collected:
    requirements: dict[str, None] = field(default_factory=dict)
    hashed: dict[str, None] = field(default_factory=dict)
    constraints: dict[str, None] = field(default_factory=dict)
    read_from: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PythonRequirements:
    """Lines for pip, each once. Those with `--hash` stand apart, for pip wants all or none."""

    requirements: tuple[str, ...]
    hashed: tuple[str, ...]
    constraints: tuple[str, ...]
    read_from: tuple[str, ...]


def read_python(subject: Path) -> PythonRequirements:
    """All that the files of the project say is needed to run it and its tests.

    Raises:
        BadInputError: when a file cannot be understood or includes one outside the project.
    """
    found = _Collected()
    for path in _requirement_files(subject):
        _read_requirements(path, subject, found)
    _read_pyproject(subject / "pyproject.toml", found)
    _read_setup_cfg(subject / "setup.cfg", found)
    return PythonRequirements(
        tuple(found.requirements),
        tuple(found.hashed),
        tuple(found.constraints),
        tuple(found.read_from),
    )


def _requirement_files(subject: Path) -> Iterator[Path]:
    yield from sorted(p for p in subject.glob("*.txt") if _AT_ROOT.fullmatch(p.name))
    folder = subject / "requirements"
    yield from sorted(p for p in folder.glob("*.txt") if _IN_FOLDER.fullmatch(p.name))


def _read_requirements(path: Path, subject: Path, found: _Collected) -> None:
    name = path.relative_to(subject).as_posix()
    if name in found.read_from:
        return
    found.read_from[name] = None
    for line in _logical_lines(_read(path)):
        if include := _INCLUDE.fullmatch(line):
            if "://" in include[1]:
                found.requirements[line] = None
            else:
                _read_requirements(_inside(path, include[1], subject), subject, found)
        elif constraint := _CONSTRAINT.fullmatch(line):
            for limit in _logical_lines(_read(_inside(path, constraint[1], subject))):
                found.constraints[limit] = None
        elif not _OWN_CODE.match(line):
            (found.hashed if "--hash" in line else found.requirements)[line] = None


def _logical_lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        stripped = " ".join(_COMMENT.sub("", line).split())
        if stripped:
            yield stripped


def _inside(path: Path, name: str, subject: Path) -> Path:
    target = (path.parent / name).resolve()
    if not target.is_relative_to(subject.resolve()) or not target.is_file():
        raise BadInputError(f"{path} includes {name}, which is no file of the project")
    return subject / target.relative_to(subject.resolve())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error


def _read_pyproject(path: Path, found: _Collected) -> None:
    if not path.is_file():
        return
    try:
        document = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"{path} is no valid TOML: {error}") from error
    project = _table(document, "project")
    extras = _table(project, "optional-dependencies")
    groups = _table(document, "dependency-groups")
    if not project and not groups:
        return
    found.read_from[path.name] = None
    own = _canonical(str(project.get("name", "")))
    wanted = [*_strings(project.get("dependencies")), *_expand_groups(groups)]
    wanted += [text for name in GROUPS for text in _strings(extras.get(name))]
    for text in _without_own_extras(wanted, own, extras):
        found.requirements[" ".join(text.split())] = None


def _expand_groups(groups: Mapping[str, Any]) -> Iterator[str]:
    """The wanted groups with those they include; a group that includes itself is read once."""
    pending, seen = list(GROUPS), set[str]()
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for entry in groups.get(name) or ():
            if isinstance(entry, str):
                yield entry
            elif isinstance(entry, dict) and "include-group" in entry:
                pending.append(str(entry["include-group"]))


def _without_own_extras(texts: Iterable[str], own: str, extras: Mapping[str, Any]) -> Iterator[str]:
    """`project[extra]` among the project's own requirements means what that extra lists."""
    pending, seen = list(texts), set[str]()
    while pending:
        text = pending.pop(0)
        name = _NAME.match(text)
        if own and name and _canonical(name.group()) == own:
            listed = re.search(r"\[([^]]*)\]", text)
            names = {part.strip() for part in listed[1].split(",")} if listed else set()
            pending += [t for extra in sorted(names - seen) for t in _strings(extras.get(extra))]
            seen |= names
        else:
            yield text


def _read_setup_cfg(path: Path, found: _Collected) -> None:
    if not path.is_file():
        return
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_read(path))
    except configparser.Error as error:
        raise BadInputError(f"{path} cannot be understood: {error.message}") from error
    texts = [
        parser.get("options", key, fallback="") for key in ("install_requires", "tests_require")
    ]
    texts += [parser.get("options.extras_require", name, fallback="") for name in GROUPS]
    lines = [line for text in texts for line in _logical_lines(text)]
    if lines:
        found.read_from[path.name] = None
    for line in lines:
        if not line.startswith("file:"):
            found.requirements[line] = None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
