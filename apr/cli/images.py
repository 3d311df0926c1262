"""The image options of a command: one request out of three, made ready before the work begins."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from apr.cli.options import Sandbox
from apr.cli.output import err_console
from apr.cli.text import duration, one_line, shorten
from apr.core.errors import BadInputError

if TYPE_CHECKING:
    from apr.core.bug import Bug

STATUS_WIDTH = 70
WORTH_TELLING_S = 1.0


def choose_image(
    image: str | None, dockerfile: Path | None, base_image: str | None, sandbox: Sandbox
) -> str | None:
    """The image request that the options make up; None: no image.

    Raises:
        BadInputError: when the options contradict each other.
    """
    from validation.sandbox.images.request import join_options, parse_request

    path = None if dockerfile is None else str(dockerfile.absolute())
    request = join_options(image, path, base_image)
    if request is not None:
        parse_request(request)
        if sandbox in (Sandbox.BUBBLEWRAP, Sandbox.PROCESS):
            raise BadInputError(
                f"an image is for Docker, and --sandbox {sandbox} runs on this machine's own files"
            )
    return request


def make_ready(request: str | None, bug: Bug, *, quiet: bool) -> None:
    """Build or fetch the image now, in front of the user, if it is not there.

    Raises:
        BadInputError: when the subject's files make no sense.
        EnvironmentUnusableError: when it cannot be built or had.
    """
    if request is None:
        return
    from apr.settings import AppSettings
    from apr.subject import image_settings
    from validation.sandbox.images.resolve import silent, subject_image

    began = time.monotonic()
    with ExitStack() as stack:
        tell = silent
        if not quiet:
            status = stack.enter_context(err_console().status("preparing the image"))

            def tell(line: str) -> None:
                status.update(f"preparing the image: {shorten(one_line(line), STATUS_WIDTH)}")

        settings = image_settings(AppSettings())
        stack.enter_context(subject_image(request, Path(bug.subject), settings, tell))
    took = time.monotonic() - began
    if not quiet and took >= WORTH_TELLING_S:
        err_console().print(f"the image was made ready in {duration(took)}")
