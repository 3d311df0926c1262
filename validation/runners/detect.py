"""From what a user typed, or from the subject itself, to a `TestCommand`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from apr.core.bug import RunnerKind, TestCommand
from apr.core.errors import BadInputError
from apr.core.ports import Sandbox
from validation.runners.base import TestRunner
from validation.runners.command import CommandRunner
from validation.runners.java import JavaRunner
from validation.runners.python import PythonRunner

PYTHON = re.compile(r"^python(\d(\.\d+)?)?$")
ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
MAVEN_REPORTS = ("**/target/surefire-reports/TEST-*.xml",)
GRADLE_REPORTS = ("**/build/test-results/**/TEST-*.xml",)


def make_runner(command: TestCommand, sandbox: Sandbox) -> TestRunner:
    """The runner for a test command."""
    if command.kind is RunnerKind.COMMAND:
        return CommandRunner(command, sandbox)
    if command.kind is RunnerKind.JUNIT:
        return JavaRunner(command, sandbox)
    return PythonRunner(command, sandbox)


def detect_command(
    subject: Path,
    text: str | None = None,
    *,
    python: str | None = None,
    junit: tuple[str, ...] = (),
    in_image: bool = False,
) -> TestCommand:
    """The test command: as typed, or guessed from the files of the subject.

    With `in_image`, programs are those of a container image, about which this machine knows
    nothing: `python3` unless another interpreter is named, and no program is looked for.

    Raises:
        BadInputError: when it cannot be parsed or names an interpreter that does not exist.
    """
    if any(not glob or glob.startswith("/") for glob in junit):
        raise BadInputError("--junit takes patterns relative to the project, such as out/*.xml")
    if in_image:
        python = python or "python3"
    if text is None:
        return _guess(subject, python, junit, in_image)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInputError(f"the test command {text!r} cannot be parsed: {error}") from None
    environment = []
    while words and ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        environment.append((name, value))
    if not words:
        raise BadInputError("the test command is empty")
    return _parse(subject, words, tuple(environment), python, junit, in_image)


def _parse(
    subject: Path,
    words: list[str],
    environment: tuple[tuple[str, str], ...],
    python: str | None,
    junit: tuple[str, ...],
    in_image: bool,
) -> TestCommand:
    program = Path(words[0]).name
    typed_python = None
    if PYTHON.match(program) and len(words) >= 3 and words[1] == "-m":
        # A bare `python` means the subject's own environment; a path means that very one.
        typed_python = words[0] if "/" in words[0] else None
        program, words = words[2], words[2:]
    if program in ("pytest", "py.test"):
        kind = RunnerKind.PYTEST
    elif program == "unittest":
        kind = RunnerKind.UNITTEST
    else:
        if not in_image:
            _require_program(words[0], subject)
        return TestCommand(
            RunnerKind.COMMAND, tuple(words), junit_globs=junit, environment=environment
        )
    interpreter = find_python(subject, python or typed_python, in_image)
    return TestCommand(kind, tuple(words[1:]), interpreter, environment=environment)


def _require_program(name: str, subject: Path) -> None:
    if not (shutil.which(name) or (subject / name).is_file()):
        raise BadInputError(f"the test command {name!r} was not found")


def _guess(
    subject: Path, python: str | None, junit: tuple[str, ...], in_image: bool
) -> TestCommand:
    if (subject / "pom.xml").is_file():
        maven = ("mvn", "-q", "-o", "test")
        return TestCommand(RunnerKind.COMMAND, maven, junit_globs=junit or MAVEN_REPORTS)
    if (subject / "build.gradle").is_file() or (subject / "build.gradle.kts").is_file():
        gradle = ("./gradlew", "--offline", "test")
        return TestCommand(RunnerKind.COMMAND, gradle, junit_globs=junit or GRADLE_REPORTS)
    return TestCommand(RunnerKind.PYTEST, (), find_python(subject, python, in_image))


def find_python(subject: Path, wanted: str | None = None, in_image: bool = False) -> str:
    """The interpreter for the subject: as asked for, its own environment's, the active one's, ours.

    Raises:
        BadInputError: when the one asked for does not exist.
    """
    if in_image:
        return wanted or "python3"
    if wanted is not None:
        found = shutil.which(wanted)
        if found is None:
            raise BadInputError(f"the Python interpreter {wanted!r} was not found")
        return str(Path(found).absolute())
    active = os.environ.get("VIRTUAL_ENV")
    folders = [subject / ".venv", subject / "venv", *([Path(active)] if active else [])]
    for folder in folders:
        candidate = folder / "bin" / "python"
        if candidate.is_file():
            return str(candidate.absolute())
    return sys.executable
