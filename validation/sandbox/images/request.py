"""Reads an image request: one word that says where the image of a subject comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apr.core.errors import BadInputError

TESTBED_PYTHON = "/opt/miniconda3/envs/testbed/bin/python"
TESTBED = "/testbed"


class Origin(StrEnum):
    """Where an image comes from."""

    NAMED = "named"
    DEPENDENCIES = "auto"
    DOCKERFILE = "dockerfile"
    SWEBENCH = "swebench"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """`detail` is the image's name, the base image, the Dockerfile's path, or the instance's id;
    empty: the default.
    """

    origin: Origin
    detail: str = ""


def parse_request(text: str) -> ImageRequest:
    """What the word means; the reserved ones are listed in this package's description.

    Raises:
        BadInputError: when it means nothing.
    """
    word, _, detail = text.partition(":")
    if not text.strip() or text.startswith("-") or any(c.isspace() for c in word):
        raise BadInputError(f"{text!r} is no name of an image")
    if word not in set(Origin) - {Origin.NAMED}:
        return ImageRequest(Origin.NAMED, text)
    if word == Origin.SWEBENCH and not detail:
        raise BadInputError("say which instance: swebench:astropy__astropy-12907, for one")
    return ImageRequest(Origin(word), detail)


def join_options(image: str | None, dockerfile: str | None, base_image: str | None) -> str | None:
    """The one request that the options `--image`, `--dockerfile` and `--base-image` make up.

    Raises:
        BadInputError: when they contradict each other.
    """
    if dockerfile is not None:
        if image not in (None, Origin.DOCKERFILE) or base_image is not None:
            other = "--base-image" if image is None else f"--image {image}"
            raise BadInputError(f"--dockerfile contradicts {other}: name one source of the image")
        return f"{Origin.DOCKERFILE}:{dockerfile}"
    if base_image is not None:
        if image not in (None, Origin.DEPENDENCIES):
            raise BadInputError(
                f"--base-image is what an environment is built on: use it with --image auto, "
                f"not with --image {image}"
            )
        return f"{Origin.DEPENDENCIES}:{base_image}"
    return image


def python_in_image(text: str) -> str:
    """The interpreter with the subject's dependencies in the image."""
    return TESTBED_PYTHON if parse_request(text).origin is Origin.SWEBENCH else "python3"


def mount_in_image(text: str | None, subject: str) -> str:
    """Where the image expects the subject: SWE-bench's is installed from a folder of its own."""
    if text is not None and parse_request(text).origin is Origin.SWEBENCH:
        return TESTBED
    return subject
