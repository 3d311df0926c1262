"""Choosing a sandbox: what works is found by trying, what does not is explained in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from apr.core.errors import BadInputError, SandboxUnavailableError
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import STRONGEST_FIRST, SandboxName, available, open_sandbox

POLICY = SandboxPolicy()


@pytest.fixture
def without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    return tmp_path


def test_names_come_strongest_first_and_process_always_works() -> None:
    found = available(POLICY)
    assert tuple(found) == STRONGEST_FIRST
    assert found["process"] is None


def test_auto_takes_the_strongest_that_works() -> None:
    works = [name for name, reason in available(POLICY).items() if reason is None]
    assert open_sandbox("auto", POLICY).name == works[0]


def test_auto_falls_back_to_process(without_programs: Path) -> None:
    assert open_sandbox("auto", POLICY, "image").name == "process"


def test_missing_bubblewrap_is_explained_with_the_package_to_install(
    without_programs: Path,
) -> None:
    with pytest.raises(SandboxUnavailableError, match="install the package bubblewrap"):
        open_sandbox("bubblewrap", POLICY)


def test_bubblewrap_that_cannot_make_namespaces_does_not_count(without_programs: Path) -> None:
    program = without_programs / "bwrap"
    program.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1"
    )
    program.chmod(0o755)
    with pytest.raises(SandboxUnavailableError, match=r"No permissions.*user namespaces"):
        open_sandbox("bubblewrap", POLICY)


def test_silent_docker_engine_is_explained(without_programs: Path) -> None:
    with pytest.raises(SandboxUnavailableError, match=r"no Docker engine answers.*DOCKER_HOST"):
        open_sandbox("docker", POLICY, "image")


def test_docker_without_an_image_is_explained() -> None:
    with pytest.raises(SandboxUnavailableError, match="no image"):
        open_sandbox("docker", POLICY)


def test_unknown_name_is_bad_input() -> None:
    with pytest.raises(BadInputError, match=r"'jail'.*auto, docker, bubblewrap, process"):
        open_sandbox(cast(SandboxName, "jail"), POLICY)


def test_choosing_loads_no_docker_sdk() -> None:
    code = (
        "import sys, validation.sandbox.select; "
        "print(sorted({'docker', 'requests', 'urllib3'} & {*sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
