"""Subjects written on the spot, run by the real harness in a real sandbox."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.ports import Sandbox
from support.harness_target import NO_PLUGINS
from validation.baseline import Reproduction, reproduce
from validation.runners.base import RunLimits
from validation.runners.detect import make_runner
from validation.runners.python import toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox
from validation.workspace import Workspace, copy_subject

LIMITS = RunLimits(test_s=1.0, total_s=60.0)


class Subject:
    """A folder with files, and a private copy of it in which tests run."""

    def __init__(self, folder: Path, files: Mapping[str, str], command: TestCommand) -> None:
        self.original = folder / "subject"
        for path, text in files.items():
            target = self.original / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        copy_subject(self.original, folder / "copy")
        self.workspace = Workspace(folder / "copy", self.original)
        readable = (*python_readable_paths(sys.executable), str(HARNESS_ROOT), str(toolbox()))
        policy = SandboxPolicy(readable_paths=readable, mount_at=str(self.original))
        self.sandbox: Sandbox = open_sandbox("auto", policy)
        self.bug = Bug(str(self.original), command)
        self.runner = make_runner(command, self.sandbox)

    def reproduce(self) -> Reproduction:
        """The baseline with short limits."""
        return reproduce(self.bug, self.runner, self.workspace, LIMITS)


MakeSubject = Callable[..., Subject]


@pytest.fixture(scope="module")
def make_subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSubject]:
    """`make_subject({path: text}, kind=…, argv=…)`, each in a folder of its own."""
    stack = ExitStack()

    def make(
        files: Mapping[str, str],
        kind: RunnerKind = RunnerKind.PYTEST,
        argv: tuple[str, ...] = (),
        junit: tuple[str, ...] = (),
    ) -> Subject:
        folder = tmp_path_factory.mktemp("subject")
        command = TestCommand(kind, argv, sys.executable, junit, NO_PLUGINS)
        subject = Subject(folder, files, command)
        stack.enter_context(closing(subject.sandbox))
        return subject

    with stack:
        yield make
