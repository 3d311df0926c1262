"""`apr sandbox`: the images that subjects run in, the disk they take, and freeing it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.images import choose_image
from apr.cli.output import Format, emit_json, emit_rich, err_console
from apr.cli.request import check_subject
from apr.cli.text import count, duration, one_line, shorten
from apr.core.errors import BadInputError

if TYPE_CHECKING:
    from validation.sandbox.images.store import ImageStore, StoredImage

app = typer.Typer(no_args_is_help=True, help="Build, list and remove the images of subjects.")

MIB = 1024 * 1024
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
ID_LENGTH = 12
NAME_LENGTH = 34
AllOption = Annotated[bool, typer.Option("--all", help="Remove every one that is not in use.")]
OlderOption = Annotated[
    str | None,
    typer.Option(
        "--older-than", metavar="TIME", help="Remove those not used for so long: 12h, 30d."
    ),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep-bytes", metavar="SIZE", help="Remove the least recently used beyond 500M, 10G."
    ),
]


@app.command()
def images(form: o.FormatOption = Format.TEXT) -> None:
    """List the images that were made here, the least recently used first."""
    from apr.settings import AppSettings

    budget = AppSettings().sandbox_disk_mib * MIB
    with open_store() as store:
        found = store.images()
    held = sum(image.own_size for image in found)
    if form is Format.JSON:
        listed = [image_document(image) for image in found]
        emit_json({"images": listed, "own_bytes": held, "budget_bytes": budget})
        return
    if found:
        emit_rich(render_images(found, time.time()))
    said = f"{count(len(found), 'image')} with {size(held)} of their own; budget {size(budget)}"
    err_console().print(said)


@app.command()
def prune(
    everything: AllOption = False,
    older_than: OlderOption = None,
    keep_bytes: KeepOption = None,
    form: o.FormatOption = Format.TEXT,
) -> None:
    """Remove images that were made here, and no others; by default those beyond the disk budget.

    Images that newer builds have replaced always go, images in use never.
    """
    from apr.settings import AppSettings

    if sum((everything, older_than is not None, keep_bytes is not None)) > 1:
        raise BadInputError("--all, --older-than and --keep-bytes exclude each other")
    age = None if older_than is None else parse_age(older_than)
    keep = AppSettings().sandbox_disk_mib * MIB if keep_bytes is None else parse_size(keep_bytes)
    with open_store() as store:
        if age is not None:
            pruned = store.prune(time.time() - age)
        else:
            pruned = store.evict(0 if everything else keep)
    if form is Format.JSON:
        removed = [image_document(image) for image in pruned.images]
        emit_json({"removed": removed, "freed_bytes": pruned.freed})
        return
    if pruned.images:
        emit_rich(render_images(pruned.images, time.time()))
    err_console().print(f"removed {count(len(pruned.images), 'image')}, freed {size(pruned.freed)}")


@app.command()
def build(
    path: o.PathArgument,
    image: o.ImageOption = None,
    dockerfile: o.DockerfileOption = None,
    base_image: o.BaseImageOption = None,
    form: o.FormatOption = Format.TEXT,
    quiet: o.QuietOption = False,
) -> None:
    """Build or fetch the image of a project now; by default from its dependency files."""
    from apr.settings import AppSettings
    from apr.subject import image_settings
    from validation.sandbox.images.request import Origin
    from validation.sandbox.images.resolve import silent, subject_image

    subject = check_subject(path)
    named = image or (Origin.DEPENDENCIES if dockerfile is None else None)
    request = choose_image(named, dockerfile, base_image, o.Sandbox.DOCKER)
    assert request is not None
    began = time.monotonic()
    tell = silent if quiet else _print_line
    with subject_image(request, subject, image_settings(AppSettings()), tell) as name:
        took = time.monotonic() - began
        with open_store() as store:
            found = next((one for one in store.images() if one.id == name), None)
    if form is Format.JSON:
        document = None if found is None else image_document(found)
        emit_json({"name": name, "image": document, "seconds": round(took, 3)})
    else:
        emit_rich(Text(found.tags[0] if found and found.tags else name))
        if not quiet:
            err_console().print(f"ready in {duration(took)}")


def _print_line(line: str) -> None:
    err_console().print(one_line(line), style="dim", soft_wrap=True)


@contextmanager
def open_store() -> Iterator[ImageStore]:
    """The images of the engine.

    Raises:
        SandboxUnavailableError: when no engine answers.
    """
    from apr.settings import AppSettings
    from apr.subject import image_settings
    from validation.sandbox.docker import connect
    from validation.sandbox.images.store import ImageStore
    from validation.sandbox.images.usage import ImageUsage

    with closing(connect()) as client:
        yield ImageStore(client, ImageUsage(image_settings(AppSettings()).folder))


def image_document(image: StoredImage) -> dict[str, Any]:
    """An image as JSON; sizes in bytes, times in ISO 8601."""
    times = {"created": image.created, "last_used": image.last_used}
    stamps = {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in times.items()}
    return {**asdict(image), **stamps}


def render_images(found: Sequence[StoredImage], now: float) -> Table:
    """One line an image."""
    table = Table(box=None, pad_edge=False)
    table.add_column("image", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("own", justify="right", no_wrap=True)
    table.add_column("last used", justify="right", no_wrap=True)
    table.add_column("what for")
    for image in found:
        name = image.tags[0] if image.tags else f"replaced {image.id[7 : 7 + ID_LENGTH]}"
        used = "in use" if image.in_use else f"{duration(max(0.0, now - image.last_used))} ago"
        cells = (shorten(one_line(name), NAME_LENGTH), size(image.size), size(image.own_size))
        purpose = Text(one_line(image.purpose), no_wrap=True, overflow="ellipsis")
        table.add_row(*(Text(cell) for cell in (*cells, used)), purpose)
    return table


def size(number: int) -> str:
    """Bytes for a reader: `512 B`, `12.3 MiB`, `1.5 GiB`."""
    value, unit = float(number), "B"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, bigger
    return f"{number} B" if unit == "B" else f"{value:.1f} {unit}"


def parse_age(text: str) -> float:
    """Seconds.

    Raises:
        BadInputError: when it is no time such as `12h`.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if found is None:
        raise BadInputError(f"--older-than {text!r} is no time: write 30m, 12h, 7d or 4w")
    return float(found[1]) * SECONDS[found[2]]


def parse_size(text: str) -> int:
    """Bytes; the units are powers of 1024.

    Raises:
        BadInputError: when it is no size such as `10G`.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise BadInputError(f"--keep-bytes {text!r} is no size: write 500M or 10G")
    return int(float(found[1]) * UNITS[found[2].upper()])
