"""The subjects of `support.harness_target`, each with a runner in a real sandbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing

import pytest

from apr.core.bug import RunnerKind, TestCommand
from support.harness_target import (
    NO_PLUGINS,
    PYTEST_FILES,
    PYTEST_TRIGGERS,
    UNITTEST_FILES,
    UNITTEST_TRIGGERS,
    MakeTarget,
    Target,
    Warm,
    open_warm,
    write_files,
)
from validation.runners.python import PythonRunner, toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import SandboxName, open_sandbox


@pytest.fixture(scope="module")
def make_target(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[MakeTarget]:
    """`make_target(files, kind=…, sandbox=…)`, each in a folder of its own."""
    stack = ExitStack()

    def make(
        files: Mapping[str, str] = PYTEST_FILES,
        kind: RunnerKind = RunnerKind.PYTEST,
        sandbox: SandboxName = "auto",
        triggers: tuple[str, ...] = PYTEST_TRIGGERS,
        environment: tuple[tuple[str, str], ...] = (),
    ) -> Target:
        folder = tmp_path_factory.mktemp("target")
        write_files(folder / "base", files)
        python, image, mount = sys.executable, None, str(folder / "base")
        readable = (str(HARNESS_ROOT), str(toolbox()))
        if sandbox == "docker":
            python, mount = "/usr/bin/python3", "/workspace"
            image = request.getfixturevalue("docker_image")
        else:
            readable = (*python_readable_paths(python), *readable)
        policy = SandboxPolicy(readable_paths=readable, mount_at=mount)
        command = TestCommand(kind, (), python, environment=(*NO_PLUGINS, *environment))
        opened = stack.enter_context(closing(open_sandbox(sandbox, policy, image)))
        return Target(folder, files, PythonRunner(command, opened), triggers)

    with stack:
        yield make


@pytest.fixture(scope="module")
def target(make_target: MakeTarget) -> Target:
    """The pytest subject in the strongest sandbox without an image."""
    return make_target()


@pytest.fixture(scope="module")
def cases(make_target: MakeTarget) -> Target:
    """The unittest subject."""
    return make_target(UNITTEST_FILES, RunnerKind.UNITTEST, triggers=UNITTEST_TRIGGERS)


@pytest.fixture(scope="module")
def warm(target: Target) -> Iterator[Warm]:
    """A warm session; what one candidate does must not be felt by the next."""
    with open_warm(target) as warm:
        yield warm
