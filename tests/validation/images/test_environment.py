"""Environments built from dependency files: by content, once, shared, and with nothing left."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import docker
import pytest

from apr.core.errors import BadInputError, EnvironmentUnusableError, SandboxUnavailableError
from validation.sandbox.images import KEY_LABEL, LABEL, PURPOSE_LABEL
from validation.sandbox.images.build import adopt_image
from validation.sandbox.images.resolve import subject_image


def build_containers(client: docker.DockerClient) -> list[str]:
    found = client.containers.list(all=True, filters={"name": "apr-build-"})
    return [container.name or "" for container in found]


def test_requirement_can_be_imported_by_an_ordinary_user(images, subject) -> None:
    image = images.make(subject({"requirements.txt": "parcel==1.0\n"}))
    assert images.run(image, "import parcel, pytest; print(parcel.VERSION)") == "1.0"
    assert images.run(image, "import os; print(os.path.exists('/apr-build'))") == "False"
    assert build_containers(images.client) == []


def test_image_is_labelled_and_starts_nothing_by_itself(images, subject) -> None:
    image = images.client.images.get(images.make(subject({"requirements.txt": "parcel==1.0"})))
    assert image.labels[LABEL] == "1"
    assert image.tags == [f"apr-env:{image.labels[KEY_LABEL]}"]
    assert image.labels[PURPOSE_LABEL] == "python environment of requirements.txt"
    assert not image.attrs["Config"]["Entrypoint"]
    assert "sleep" not in image.attrs["Config"]["Cmd"]


def test_second_build_is_not_done_at_all(images, subject) -> None:
    folder = subject({"requirements.txt": "-c limits.txt\nparcel\n", "limits.txt": "parcel<2\n"})
    first = images.make(folder)
    assert any("Successfully installed parcel-1.0" in line for line in images.told)
    assert images.make(folder) == first
    assert images.told == []


def test_subjects_with_equal_dependencies_share_one_image(images, subject) -> None:
    one = subject({"requirements.txt": "parcel==1.0\n"}, "one")
    other = subject({"requirements.txt": "# ours\n\nparcel==1.0  # why\n-e .\n"}, "other")
    assert images.make(one) == images.make(other)


def test_changed_requirement_is_another_image_on_the_same_layers(images, subject) -> None:
    folder = subject({"requirements.txt": "parcel==1.0\n"})
    first = images.make(folder)
    (folder / "requirements.txt").write_text("parcel==2.0\n")
    second = images.make(folder)
    assert images.run(second, "import parcel; print(parcel.VERSION)") == "2.0"
    layers = [images.client.images.get(i).attrs["RootFS"]["Layers"] for i in (first, second)]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0] != layers[1]


def test_requirement_that_cannot_be_had_is_told_by_name_and_leaves_nothing(images, subject) -> None:
    folder = subject({"requirements.txt": "no-such-parcel==9\n"})
    with pytest.raises(EnvironmentUnusableError, match="no-such-parcel==9"):
        images.make(folder)
    assert build_containers(images.client) == []


def test_password_of_an_index_is_in_no_image(images, subject, monkeypatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://someone:hunter2@index.invalid/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://someone:hunter2@proxy.invalid:3128")
    image = images.client.images.get(images.make(subject({"requirements.txt": "parcel<9"})))
    assert images.told
    assert "hunter2" not in json.dumps([image.attrs, image.history()])


def test_build_that_hangs_is_stopped(images, subject, monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        build = replace(images.settings.build, timeout_s=4, network="host")
        with pytest.raises(EnvironmentUnusableError, match="more than 4 s"):
            images.make(subject({"requirements.txt": "unheard-of==1.0\n"}), build=build)


def test_container_of_a_killed_build_is_removed_by_the_next(images, subject) -> None:
    folder = subject({"requirements.txt": "parcel==1.0\n"})
    image = images.client.images.get(images.make(folder))
    images.client.images.remove(image.id, force=True)
    name = f"apr-build-{image.labels[KEY_LABEL]}-{os.getpid() + 1}"
    images.client.containers.create(images.base, ["sleep", "60"], name=name)
    images.make(folder)
    assert build_containers(images.client) == []


def test_two_at_once_build_one_image(images, subject) -> None:
    folder = subject({"requirements.txt": "parcel<=1.0\n"})
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: images.make(folder), range(2)))
    assert len(set(made)) == 1


def test_base_image_without_python_is_explained(images, subject) -> None:
    folder = subject({"package.json": "{}", "requirements.txt": "parcel\n"})
    (folder / "requirements.txt").unlink()
    with pytest.raises(EnvironmentUnusableError, match="no npm"):
        images.make(folder)


def test_base_image_that_cannot_be_pulled_is_explained(images, subject) -> None:
    folder = subject({"requirements.txt": "parcel\n"})
    with pytest.raises(SandboxUnavailableError, match=r"no-such/image:1 is not here and cannot"):
        images.make(folder, "auto:localhost:1/no-such/image:1")


def test_named_image_is_taken_by_its_name_without_asking_an_engine(
    images, subject, monkeypatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    with subject_image("some/image:tag", subject({"m.py": ""}), images.settings) as image:
        assert image == "some/image:tag"


def test_dockerfile_of_the_subject_is_built_with_its_files(images, subject) -> None:
    folder = subject({"Dockerfile": f"FROM {images.base}\nCOPY note /note\n", "note": "first"})
    first = images.make(folder, "dockerfile")
    assert images.run(first, "print(open('/note').read())") == "first"
    assert images.make(folder, "dockerfile") == first
    (folder / "note").write_text("second")
    assert images.make(folder, "dockerfile") != first


def test_dockerfile_from_elsewhere_is_built_too(images, subject, tmp_path) -> None:
    folder = subject({"note": "here"})
    elsewhere = tmp_path / "Dockerfile.test"
    elsewhere.write_text(f"FROM {images.base}\nCOPY note /note\n")
    image = images.make(folder, f"dockerfile:{elsewhere}")
    assert images.run(image, "print(open('/note').read())") == "here"


def test_failing_step_of_a_dockerfile_is_told(images, subject) -> None:
    folder = subject({"Dockerfile": f"FROM {images.base}\nCOPY no-such-file /\n"})
    with pytest.raises(EnvironmentUnusableError, match=r"Dockerfile cannot be built.*no-such-file"):
        images.make(folder, "dockerfile")


def test_missing_dockerfile_is_bad_input(images, subject) -> None:
    with pytest.raises(BadInputError, match=r"no Dockerfile .*subject/Dockerfile"):
        images.make(subject({"m.py": ""}), "dockerfile")


def test_instance_image_that_is_here_is_used_as_it_is(images, subject) -> None:
    base = images.client.images.get(images.base)
    machine = images.client.info()["Architecture"].replace("aarch64", "arm64")
    name = f"swebench/sweb.eval.{machine}.nobody_1776_nothing-1"
    base.tag(name)
    try:
        with subject_image(
            "swebench:nobody__nothing-1", subject({"m.py": ""}), images.settings
        ) as image:
            assert image == base.id
    finally:
        images.client.api.remove_image(name)


def test_instance_image_that_cannot_be_pulled_is_explained(images, subject) -> None:
    wanted = r"nobody_1776_nothing-2:latest is not here and cannot be pulled"
    with pytest.raises(SandboxUnavailableError, match=wanted):
        images.make(subject({"m.py": ""}), "swebench:nobody__nothing-2")


def test_adopted_image_is_a_labelled_child_without_a_layer(images) -> None:
    base = images.client.images.get(images.base)
    adopted = adopt_image(images.client, base, "apr-swebench:adopted", "an instance")
    try:
        assert adopted.labels[LABEL] == "1"
        assert adopted.attrs["RootFS"]["Layers"] == base.attrs["RootFS"]["Layers"]
    finally:
        images.client.images.remove(adopted.id, force=True)
