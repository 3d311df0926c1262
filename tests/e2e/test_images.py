"""From a dependency file to a repaired bug, in an environment that was built for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.e2e import Apr, snapshot
from support.wheels import make_wheel


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """Variables of a machine that knows one folder of wheels and no index."""
    make_wheel(tmp_path / "wheels", "parcel", "1.0", "VERSION = '1.0'\n")
    return {
        "APR_WHEELS": str(tmp_path / "wheels"),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": "/dev/null",
    }


@pytest.fixture
def subject(copy_bug: Callable[[str], Path]) -> Path:
    """A fixture bug whose tests need a package that this machine does not have."""
    folder = copy_bug("off_by_one")
    (folder / "requirements.txt").write_text("parcel==1.0\n")
    conftest = folder / "conftest.py"
    text = conftest.read_text() if conftest.exists() else ""
    conftest.write_text(f"import parcel\n{text}")
    return folder


def test_a_bug_is_fixed_in_an_environment_built_from_its_dependency_file(
    docker_image: str, images_alone: None, apr: Apr, subject: Path, offline: dict[str, str]
) -> None:
    before = snapshot(subject)
    words = ("--sandbox", "docker", "--image", "auto", "--base-image", docker_image)
    done = apr("fix", subject, *words, "--location", "moving.py:8", "--candidates", 200, **offline)
    try:
        assert done.returncode == 0, done.stderr
        assert snapshot(subject) == before
        subprocess.run(
            ["git", "apply", "-"], cwd=subject, input=done.stdout.encode(), check=True, timeout=30
        )
        listed = json.loads(apr("sandbox", "images", "--format", "json").stdout)["images"]
        assert [image["purpose"] for image in listed] == ["python environment of requirements.txt"]
        built = apr("sandbox", "build", subject, *words[2:], "-q", "--format", "json", **offline)
        assert json.loads(built.stdout)["name"] == listed[0]["id"]
    finally:
        pruned = apr("sandbox", "prune", "--all", "--format", "json")
    assert [image["id"] for image in json.loads(pruned.stdout)["removed"]] == [listed[0]["id"]]
    assert json.loads(pruned.stdout)["freed_bytes"] == listed[0]["own_size"]
    assert json.loads(apr("sandbox", "images", "--format", "json").stdout)["images"] == []
