"""Java subjects that are a few files under JUnit tests of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand
from validation.runners.java import JavaProject, compile_project, parse_project

PROGRAMS, TESTS, CLASSES = "programs", "tests", "classes"
"""The folders of a subject with what may be repaired, what judges it, and both compiled."""


def junit_command(suite: str) -> TestCommand:
    """Runs one test class of such a subject."""
    project = JavaProject(sources=(PROGRAMS,), tests=(TESTS,), suite=(suite,))
    return TestCommand(RunnerKind.JUNIT, project.argv())


def compile_bug(bug: Bug) -> Bug:
    """The bug with its classes compiled, so that a candidate's file alone has to be.

    Raises:
        EnvironmentUnusableError: when it does not compile, or there is no JDK or JUnit.
    """
    project = replace(parse_project(bug.test_command.argv), classes="")
    compiled = compile_project(project, Path(bug.subject), CLASSES)
    return replace(bug, test_command=replace(bug.test_command, argv=compiled.argv()))
