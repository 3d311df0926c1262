"""An interpreter starts in a sandbox that shows only what it was said to need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from apr.core.errors import EnvironmentUnusableError
from validation.sandbox.bubblewrap import BubblewrapSandbox
from validation.sandbox.interpreter import interpreter_executable, python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import available


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("venv") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    library = folder.parent / "elsewhere" / "project"
    library.mkdir(parents=True)
    (library / "installed_editable.py").write_text("ANSWER = 42\n")
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "project.pth").write_text(f"{library}\n{Path.home()}\n/\n")
    return folder


def test_prefixes_and_editable_projects_are_named(venv: Path) -> None:
    paths = python_readable_paths(str(venv / "bin" / "python"))
    assert str(venv) in paths
    assert str(venv.parent / "elsewhere" / "project") in paths
    assert any(Path(sys.base_prefix).is_relative_to(path) for path in paths)


def test_home_and_root_are_never_named(venv: Path) -> None:
    paths = python_readable_paths(str(venv / "bin" / "python"))
    assert not {"/", str(Path.home())} & set(paths)


def run_in_bubblewrap(python: str, code: str, workspace: Path) -> bytes:
    reason = available(SandboxPolicy())["bubblewrap"]
    if reason is not None:
        pytest.skip(reason)
    workspace.mkdir()
    sandbox = BubblewrapSandbox(SandboxPolicy(readable_paths=python_readable_paths(python)))
    with sandbox.start(
        [python, "-c", code], str(workspace), writable=False, environment={}
    ) as process:
        return process.receive_line(30)


def test_environment_in_a_linked_folder_starts_in_bubblewrap(venv: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(venv)
    python = str(tmp_path / "link" / "bin" / "python")
    code = "import json, installed_editable as m; print(m.ANSWER)"
    assert run_in_bubblewrap(python, code, tmp_path / "workspace") == b"42"


def test_interpreter_behind_a_relative_link_starts_in_bubblewrap(
    venv: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shortcuts"
    folder.mkdir()
    (folder / "absolute").symlink_to(venv / "bin" / "python")
    (folder / "python").symlink_to("absolute")
    found = run_in_bubblewrap(
        str(folder / "python"), "import ssl, sys; print(sys.executable)", tmp_path / "workspace"
    )
    assert found.decode() == str(folder / "python")


def test_script_in_front_of_an_interpreter_is_seen_through(tmp_path: Path) -> None:
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    shim.chmod(0o755)
    assert interpreter_executable(str(shim)) == sys.executable
    assert str(shim) in python_readable_paths(str(shim))


def test_missing_interpreter_is_an_error_of_the_environment() -> None:
    with pytest.raises(EnvironmentUnusableError, match="/no/such/python"):
        python_readable_paths("/no/such/python")


def test_program_that_is_no_interpreter_is_an_error_of_the_environment() -> None:
    with pytest.raises(EnvironmentUnusableError, match="/bin/false does not start"):
        interpreter_executable("/bin/false")
