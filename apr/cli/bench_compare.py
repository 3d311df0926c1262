"""`apr bench compare`: finished runs side by side, bug by bug."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apr.cli.bench_curves import RecordsArgument
from apr.cli.bench_options import BenchFormat, BenchFormatOption
from apr.cli.output import check_output, emit
from apr.core.errors import BadInputError


def compare(
    places: RecordsArgument,
    first: Annotated[
        str | None,
        typer.Option("--first", metavar="VARIANT", help="Compare this variant with all others."),
    ] = None,
    with_matrix: Annotated[
        bool, typer.Option("--matrix", help="Add a table of every bug by run.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write all of it, with curves, as one HTML page too."
        ),
    ] = None,
    form: BenchFormatOption = BenchFormat.TEXT,
) -> None:
    """Compare what earlier benchmarks have recorded, bug by bug; nothing is run."""
    from apr.bench.comparison import compare as compare_trials
    from apr.bench.finished import load_trials
    from apr.bench.matrix import make_matrix
    from apr.cli.bench import emit_comparison
    from apr.cli.compare_page import render_page

    check_output(html, "--html")
    trials, budget = load_trials(places)
    names = [each.variant for each in trials]
    if first is not None and first not in names:
        raise BadInputError(f"--first {first} is none of the variants: {', '.join(names)}")
    trials.sort(key=lambda each: each.variant != first)
    comparison = compare_trials(trials, budget)
    if html is not None:
        emit(render_page(comparison, trials), html)
    emit_comparison(comparison, form, make_matrix(trials) if with_matrix else None)
