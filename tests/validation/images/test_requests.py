"""Image requests, and the names that SWE-bench publishes images under."""

from __future__ import annotations

import pytest

from apr.core.errors import BadInputError, SandboxUnavailableError
from validation.sandbox.images.request import (
    ImageRequest,
    Origin,
    join_options,
    mount_in_image,
    parse_request,
    python_in_image,
)
from validation.sandbox.images.swebench import locally_built_name, published_name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("auto", ImageRequest(Origin.DEPENDENCIES)),
        ("auto:python:3.12-slim", ImageRequest(Origin.DEPENDENCIES, "python:3.12-slim")),
        ("dockerfile", ImageRequest(Origin.DOCKERFILE)),
        ("dockerfile:/a b/Dockerfile", ImageRequest(Origin.DOCKERFILE, "/a b/Dockerfile")),
        ("swebench:a__b-1", ImageRequest(Origin.SWEBENCH, "a__b-1")),
        ("ubuntu", ImageRequest(Origin.NAMED, "ubuntu")),
        ("host:5000/automatic:1", ImageRequest(Origin.NAMED, "host:5000/automatic:1")),
        ("sha256:abc", ImageRequest(Origin.NAMED, "sha256:abc")),
    ],
)
def test_request_says_where_the_image_comes_from(text: str, wanted: ImageRequest) -> None:
    assert parse_request(text) == wanted


@pytest.mark.parametrize("text", ["", " ", "--privileged", "two words", "swebench", "swebench:"])
def test_request_that_means_nothing_is_bad_input(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_request(text)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((None, None, None), None),
        (("name", None, None), "name"),
        ((None, "/d", None), "dockerfile:/d"),
        (("dockerfile", "/d", None), "dockerfile:/d"),
        ((None, None, "base:1"), "auto:base:1"),
        (("auto", None, "base:1"), "auto:base:1"),
    ],
)
def test_options_make_up_one_request(options: tuple[str | None, ...], wanted: str | None) -> None:
    assert join_options(*options) == wanted


@pytest.mark.parametrize(
    "options", [("name", "/d", None), (None, "/d", "base"), ("name", None, "base")]
)
def test_options_that_contradict_each_other_are_bad_input(options) -> None:
    with pytest.raises(BadInputError, match="--"):
        join_options(*options)


def test_published_name_follows_the_scheme_of_the_harness() -> None:
    assert (
        published_name("astropy__astropy-12907", "x86_64")
        == "swebench/sweb.eval.x86_64.astropy_1776_astropy-12907:latest"
    )
    assert (
        published_name("scikit-learn__scikit-learn-9", "aarch64")
        == "swebench/sweb.eval.arm64.scikit-learn_1776_scikit-learn-9:latest"
    )
    assert locally_built_name("Django__django-1", "amd64") == (
        "sweb.eval.x86_64.django__django-1:latest"
    )


@pytest.mark.parametrize("instance", ["", "astropy", "a__b", "a__b-x", "../a__b-1", "a b__c-1"])
def test_what_is_no_instance_is_bad_input(instance: str) -> None:
    with pytest.raises(BadInputError, match="no SWE-bench instance"):
        published_name(instance, "x86_64")


def test_machine_without_published_images_is_explained() -> None:
    with pytest.raises(SandboxUnavailableError, match="riscv64"):
        published_name("a__b-1", "riscv64")


def test_instance_images_bring_their_own_python_and_place() -> None:
    assert python_in_image("swebench:a__b-1").startswith("/opt/")
    assert mount_in_image("swebench:a__b-1", "/home/me/b") == "/testbed"
    assert python_in_image("auto") == "python3"
    assert (
        mount_in_image("auto", "/home/me/b") == mount_in_image(None, "/home/me/b") == "/home/me/b"
    )
