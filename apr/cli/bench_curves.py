"""`apr bench curves`: bugs fixed over candidates and over seconds, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apr.cli.output import check_output, emit

RecordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Folders given as --output, files in them, or LABEL=PATH to give them a name.",
    ),
]


def curves(
    places: RecordsArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE.svg", help="Where to write it. Default: stdout."),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="What stands above it.")
    ] = "Bugs fixed",
) -> None:
    """Draw how many bugs are fixed within so many candidates and seconds; nothing is run."""
    from apr.bench.finished import load_apart
    from apr.cli.curve_svg import render_curves

    check_output(output)
    emit(render_curves(load_apart(places), title), output)
