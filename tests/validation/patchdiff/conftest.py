"""`compare`: versions of a small program against each other, for real."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

import pytest

from apr.core.bug import RunnerKind
from apr.core.ports import Sandbox
from support.patchdiff import QUICK, compare_texts
from validation.patchdiff.model import DiffReport, DiffSettings
from validation.runners.python import toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox

Compare = Callable[..., DiffReport]


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Sandbox]:
    """The strongest that works here."""
    readable = (*python_readable_paths(sys.executable), str(HARNESS_ROOT), str(toolbox()))
    opened = open_sandbox("auto", SandboxPolicy(readable_paths=readable))
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def compare(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """`compare({path: text}, "m.py", left, right)`: the report on texts of one file."""

    def run(
        files: Mapping[str, str],
        path: str,
        *texts: str,
        settings: DiffSettings = QUICK,
        kind: RunnerKind = RunnerKind.PYTEST,
    ) -> DiffReport:
        folder = tmp_path_factory.mktemp("versions")
        return compare_texts(sandbox, folder, files, path, texts, settings, kind)

    return run
