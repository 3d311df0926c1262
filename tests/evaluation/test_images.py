"""Instances in images: all that is needed comes out of the image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from apr.core.errors import SandboxUnavailableError
from apr.datasets.swebench.instances import Instance, Prediction, load_instances
from apr.evaluation.archive import Archive
from apr.evaluation.images import ImageGrounds
from apr.evaluation.judge import Judge
from apr.evaluation.run import evaluate
from apr.evaluation.script import parse_script
from support.tiny_repository import GOLD, git, make_repository

DOCKERFILE = """\
FROM {base}
COPY testbed /testbed
COPY activate /opt/miniconda3/bin/activate
"""
ACTIVATE = 'conda() { :; }\npytest() { /usr/bin/python3 -P -m pytest "$@"; }\n'
pytestmark = pytest.mark.docker


@pytest.fixture
def instance(docker_image: str, docker_client: docker.DockerClient, tmp_path: Path) -> Instance:
    """An instance whose image is on the engine."""
    row = make_repository(tmp_path / "clones")
    (tmp_path / "clones" / "tiny__shop").rename(tmp_path / "testbed")
    git(tmp_path / "testbed", "checkout", "-q", "HEAD~1")
    (tmp_path / "testbed" / "link").symlink_to("/etc/passwd")
    (tmp_path / "activate").write_text(ACTIVATE)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(base=docker_image))
    row["image"] = f"apr-test-{tmp_path.name.replace('_', '-')}:latest".lower()
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    docker_client.images.build(path=str(tmp_path), tag=row["image"], network_mode="none", rm=True)
    (found,) = load_instances(tmp_path / "rows.json").values()
    return found


def test_a_patch_is_judged_in_the_image_alone(instance: Instance, tmp_path: Path) -> None:
    grounds = ImageGrounds(None, tmp_path / "cache", 1024)
    script = parse_script(instance.eval_script, instance.instance_id)
    taken = grounds.prepare(instance, script)
    assert not (taken.folder / ".git").exists()
    assert not (taken.folder / "link").is_symlink()  # it leads outside
    assert grounds.prepare(instance, script).folder == taken.folder
    judge = Judge(grounds, 100, Archive(tmp_path / "run"), None)
    for patch, resolved in ((GOLD, True), (GOLD.replace("n * 2", "n * 3"), False)):
        question = (instance, Prediction(instance.instance_id, "tool", patch))
        (graded,) = evaluate([question], judge, 1, lambda each: None).values()
        assert graded.is_resolved is resolved
        assert graded.outcome is not None
        assert graded.outcome.environment["image"] == instance.image


def test_an_image_that_cannot_be_had_is_told(
    docker_image: str, instance: Instance, tmp_path: Path
) -> None:
    missing = replace(instance, image="", instance_id="tiny__missing-1")
    script = parse_script(instance.eval_script, instance.instance_id)
    with pytest.raises(SandboxUnavailableError, match="cannot be pulled"):
        ImageGrounds(None, tmp_path, 1024).prepare(missing, script)
