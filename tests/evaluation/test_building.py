"""Images of instances that cannot be pulled: shared environments, bounded disk, no later commit."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest

from apr.datasets.checkouts import find_clone
from apr.datasets.swebench.instances import load_instances
from apr.datasets.swebench.local import Places
from apr.datasets.swebench.recipes import RECIPES, Recipe
from apr.evaluation.building import ImageBuilder
from apr.evaluation.images import ImageGrounds
from apr.evaluation.script import parse_script
from support.tiny_repository import BUGGY, git, make_repository
from validation.sandbox.images.store import ImageStore
from validation.sandbox.images.usage import ImageUsage

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("images_alone")]


def test_instances_share_an_environment_and_have_no_later_commit(
    docker_image: str,
    docker_client: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = Recipe(("iniconfig",), shell=("export MEANT=1",))
    monkeypatch.setitem(RECIPES, "tiny/shop", ((0,), lambda version: recipe))  # type: ignore[arg-type]
    row = make_repository(tmp_path / "clones")
    rows = [{**row, "instance_id": f"tiny__built-{n}", "image": ""} for n in (1, 2)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    first, second = load_instances(tmp_path / "rows.json").values()
    usage = ImageUsage(tmp_path / "usage")
    places = Places(tmp_path / "clones", tmp_path / "cache")

    def builder(disk_bytes: int = 2**40) -> ImageBuilder:
        return ImageBuilder(docker_client, places, docker_image, usage, disk_bytes)

    store = ImageStore(docker_client, usage)
    before = {image.id for image in store.images()}
    try:
        grounds = ImageGrounds(None, tmp_path / "cache", 1024, lambda client: builder())
        taken = grounds.prepare(first, parse_script(first.eval_script, first.instance_id))
        assert (taken.folder / "shop.py").read_text() == BUGGY
        parent = git(
            find_clone("tiny/shop", tmp_path / "clones"), "rev-parse", f"{first.base_commit}~1"
        )
        commits = git(taken.git_dir, "rev-list", "--all", "HEAD").split()
        assert commits == [first.base_commit, parent]  # and none of those that came later
        name, image = builder().build(first)
        assert name.startswith("sweb.eval.")
        assert builder().build(first)[1].id == image.id
        told = docker_client.containers.run(
            image.id,
            [
                "bash",
                "-c",
                ". /opt/miniconda3/bin/activate; conda activate testbed;"
                " cd /; python -c 'import iniconfig, shop, os; print(os.environ[\"MEANT\"])'",
            ],
            remove=True,
        )
        assert told == b"1\n"
        builder(0).build(second)  # there is no room for what is not needed
        made = [each for each in store.images() if each.id not in before]
        assert sorted(each.purpose for each in made) == [
            "SWE-bench environment",
            "SWE-bench instance tiny__built-2",
        ]
    finally:
        left = [each for each in store.images() if each.id not in before]
        for each in sorted(left, key=lambda image: "instance" not in image.purpose):  # on top first
            docker_client.images.remove(each.id, force=True)
