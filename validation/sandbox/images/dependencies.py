"""What a subject needs, as its own dependency files say, stripped of all that does not matter.

Two subjects with equal `Dependencies` share one environment, so comments, order of sections and
the subject itself (`-e .`) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError
from validation.sandbox.images.python_files import PythonRequirements, read_python

NODE_FIELDS = (
    *("name", "version", "dependencies", "devDependencies", "optionalDependencies"),
    *("peerDependencies", "overrides"),
)


class Ecosystem(StrEnum):
    """Whose package manager installs the dependencies."""

    PYTHON = "python"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """`files` are what the package manager is given, by name; `read_from` are the subject's files
    they were taken from, empty when it has none.
    """

    ecosystem: Ecosystem
    files: tuple[tuple[str, str], ...]
    read_from: tuple[str, ...]


def read_dependencies(subject: Path) -> Dependencies:
    """The dependencies of the subject; a Python project without dependency files has none.

    Raises:
        BadInputError: when a file cannot be understood, or no file says what is needed.
    """
    python = read_python(subject)
    if not python.read_from and (subject / "package.json").is_file():
        return _node(subject)
    if not python.read_from and not _has_python(subject):
        raise BadInputError(
            f"no file in {subject} says what it depends on (requirements.txt, pyproject.toml, "
            "setup.cfg, package.json): name an image with --image NAME, or write a Dockerfile"
        )
    return Dependencies(Ecosystem.PYTHON, tuple(_python_files(python)), python.read_from)


def _python_files(found: PythonRequirements) -> Iterable[tuple[str, str]]:
    for name, lines in (
        ("hashed.txt", found.hashed),
        ("requirements.txt", found.requirements),
        ("constraints.txt", found.constraints),
    ):
        if lines:
            yield name, "".join(f"{line}\n" for line in lines)


def _has_python(subject: Path) -> bool:
    return any(subject.glob("*.py")) or any(subject.glob("*/*.py")) or any(subject.glob("*/*/*.py"))


def _node(subject: Path) -> Dependencies:
    path = subject / "package.json"
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise BadInputError(f"{path} is no JSON object")
    # Without its scripts: those of the dependencies are run, those of the subject are not.
    kept = {field: document[field] for field in NODE_FIELDS if field in document}
    files = [("package.json", json.dumps(kept, indent=1, sort_keys=True))]
    read_from = ["package.json"]
    lock = subject / "package-lock.json"
    if lock.is_file():
        files.append((lock.name, lock.read_text(encoding="utf-8")))
        read_from.append(lock.name)
    return Dependencies(Ecosystem.NODE, tuple(files), tuple(read_from))
