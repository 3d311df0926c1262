"""Two or more versions of a small program, compared for real."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind, TestCommand
from apr.core.ports import Sandbox
from validation.patchdiff.engine import Subject, compare_versions
from validation.patchdiff.model import DiffReport, DiffSettings
from validation.patchdiff.sessions import Place, Version
from validation.runners.base import RunLimits
from validation.runners.python import toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox

LIMITS = RunLimits(test_s=2.0, total_s=60.0)
QUICK = DiffSettings(seconds=20.0, repeats=3, wanted=1, inputs=300)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The strongest that works here."""
    readable = (*python_readable_paths(sys.executable), str(HARNESS_ROOT), str(toolbox()))
    opened = open_sandbox("auto", SandboxPolicy(readable_paths=readable))
    yield opened
    opened.close()


Compare = Callable[..., DiffReport]


@pytest.fixture
def compare(sandbox: Sandbox, tmp_path: Path) -> Compare:
    """`compare({path: text}, "m.py", left, right, …)`: the report on texts of one file."""

    def run(
        files: Mapping[str, str],
        path: str,
        *texts: str,
        settings: DiffSettings = QUICK,
        kind: RunnerKind = RunnerKind.PYTEST,
        argv: tuple[str, ...] = (),
    ) -> DiffReport:
        names = ["left", "right", *"cdefgh"][: len(texts)]
        versions = [
            write_version(tmp_path / name / "shop", name, {**files, path: text})
            for name, text in zip(names, texts, strict=True)
        ]
        base = write_version(tmp_path / "base" / "shop", "base", {path: texts[0], **files})
        command = TestCommand(kind, argv, sys.executable)
        subject = Subject(
            tuple(versions),
            tuple({path: text} for text in texts),
            base,
            {name: text for name, text in files.items() if not name.startswith("test")},
            Place(sandbox, command),
            LIMITS,
        )
        return compare_versions(subject, settings)

    return run


def write_version(root: Path, name: str, files: Mapping[str, str]) -> Version:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Version(name, root)
