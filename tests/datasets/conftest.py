"""Runs subjects' tests for real, in a copy, with and without a patch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

Outcomes = dict[str, bool]
RunTests = Callable[..., Outcomes]

_PYTEST_LINE = re.compile(r"^(PASSED|FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
_UNITTEST_LINE = re.compile(r"^\w+ \((\S+)\) \.\.\. (\w+)", re.MULTILINE)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _run(folder: Path, *argv: str) -> str:
    done = subprocess.run(
        argv, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


def run_pytest(folder: Path, *args: str) -> Outcomes:
    options = ("-p", "pytest_timeout", "--timeout=0.5", "-p", "no:cacheprovider", "--tb=no", "-rA")
    output = _run(folder, sys.executable, "-m", "pytest", *options, *args)
    return {test: word == "PASSED" for word, test in _PYTEST_LINE.findall(output)}


def run_unittest(folder: Path, *args: str) -> Outcomes:
    output = _run(folder, sys.executable, "-m", "unittest", args[0], "-v", *args[1:])
    return {test: word == "ok" for test, word in _UNITTEST_LINE.findall(output)}


@pytest.fixture
def run_patched(tmp_path: Path) -> RunTests:
    """Copy a subject, apply a patch with git, add hidden tests, and run the whole."""

    def run(
        subject: Path,
        patch: Path | None,
        hidden: Iterable[Path] = (),
        argv: tuple[str, ...] = ("tests",),
        runner: str = "pytest",
    ) -> Outcomes:
        folder = tmp_path / (patch.stem if patch else "base")
        shutil.copytree(subject, folder, ignore=shutil.ignore_patterns("__pycache__"))
        if patch:
            subprocess.run(
                ["git", "apply", str(patch)], cwd=folder, env=_environment(folder), check=True
            )
        outcomes = run_unittest(folder, *argv) if runner == "unittest" else {}
        for path in hidden:
            shutil.copy(path, folder / path.name)
        files = [path.name for path in hidden]
        if runner == "pytest" or files:
            visible = argv if runner == "pytest" else ()
            outcomes |= run_pytest(folder, *visible, *files)
        return outcomes

    return run


@pytest.fixture
def run_here() -> RunTests:
    return run_pytest
