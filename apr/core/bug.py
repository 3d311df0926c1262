"""What is to be repaired: a subject, the tests that run it, and the ones that fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

TestId = NewType("TestId", str)
"""A test's name exactly as its runner prints it (a pytest node id, a unittest dotted name…)."""


class RunnerKind(StrEnum):
    """How a test command is run and how its outcomes are read."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    JUNIT = "junit"  # JUnit classes of a Java program, compiled and run by us
    COMMAND = "command"  # any command: its exit code, or the JUnit XML files it leaves behind

    @property
    def is_python(self) -> bool:
        """Whether the tests run in a Python interpreter."""
        return self in (RunnerKind.PYTEST, RunnerKind.UNITTEST)


@dataclass(frozen=True, slots=True)
class TestCommand:
    """How to run the subject's tests.

    `argv` holds the runner's own arguments for pytest and unittest (no interpreter, no
    `-m pytest`), the parts of the project for junit (see `JavaProject`) and the whole command for
    `COMMAND`. `python` is the interpreter whose
    environment the tests need. `junit_globs` are paths relative to the subject; when empty, the
    exit code of a `COMMAND` is the single outcome.
    """

    __test__ = False

    kind: RunnerKind
    argv: tuple[str, ...] = ()
    python: str = ""
    junit_globs: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bug:
    """A buggy program version and what shows it.

    `subject` is an absolute path of a folder or git checkout and is only ever read.
    `source_globs` limits what a patch may touch; empty means every source file that is no test.
    `trigger_tests` empty means: whatever fails in the baseline. `added_tests` are test files, by
    path and text, that the subject lacks and that are put into every copy of it.
    """

    subject: str
    test_command: TestCommand
    trigger_tests: tuple[TestId, ...] = ()
    source_globs: tuple[str, ...] = ()
    base_commit: str | None = None
    issue_text: str | None = None
    name: str = ""
    properties: tuple[tuple[str, str], ...] = field(default=())
    added_tests: tuple[tuple[str, str], ...] = ()
