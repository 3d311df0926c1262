"""`apr localize`: where the fault is likely to be, as a ranking and a heat map of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from apr.cli import options as o
from apr.cli.groups import grouped
from apr.cli.heatmap import render_heatmap, render_table
from apr.cli.images import make_ready
from apr.cli.output import Format, emit_json, emit_rich
from apr.cli.progress import reporting
from apr.cli.request import localization_settings, make_bug, make_settings, open_service
from apr.cli.subject_options import PlaceOptions, SuiteOptions
from apr.core.location import Location, SuspiciousLocation
from apr.results.details import baseline_document, location_document


class Level(StrEnum):
    """What is ranked."""

    STATEMENT = "statement"
    FUNCTION = "function"


LevelOption = Annotated[
    Level, typer.Option("--level", rich_help_panel=o.RESULT, help="What is ranked.")
]
TopOption = Annotated[
    int,
    typer.Option("--top", metavar="N", min=1, rich_help_panel=o.RESULT, help="How many locations."),
]


@grouped
def localize(
    suite: SuiteOptions,
    place: PlaceOptions,
    location: o.LocationOption = None,
    localization: o.LocalizationOption = None,
    issue: o.IssueOption = None,
    formula: o.FormulaOption = "ochiai",
    top: TopOption = 15,
    level: LevelOption = Level.STATEMENT,
    form: o.FormatOption = Format.TEXT,
    quiet: o.QuietOption = False,
) -> None:
    """Rank the places where the fault may be, and show them in the source."""
    image = place.choose_image()
    bug = make_bug(replace(suite.describe(image), issue=issue))
    settings = make_settings(
        formula=formula,
        **localization_settings(localization, location),
        **suite.settings(),
        **place.settings(image),
    )
    make_ready(image, bug, quiet=quiet)
    with reporting(quiet=quiet) as listener:
        found = open_service().localize(bug, settings, listener)
    ranking = rank_functions(found.locations) if level is Level.FUNCTION else found.locations
    if form is Format.JSON:
        shown = [location_document(suspect) for suspect in ranking[:top]]
        emit_json({"baseline": baseline_document(found.baseline), "locations": shown})
    else:
        heat = render_heatmap(found.sources, found.locations, top=top)
        emit_rich(render_ranking(ranking, top), Text(), heat)


def rank_functions(ranking: Sequence[SuspiciousLocation]) -> tuple[SuspiciousLocation, ...]:
    """Each function once, as suspicious as its most suspicious statement, in order of that.

    A function spans the statements of it that were ranked; statements outside of functions
    stand for their module.
    """
    best: dict[tuple[str, str | None], SuspiciousLocation] = {}
    for suspect in ranking:
        key = (suspect.location.path, suspect.function)
        known = best.setdefault(key, suspect)
        first = min(known.location.first, suspect.location.first)
        last = max(known.location.last, suspect.location.last)
        best[key] = replace(known, location=Location(suspect.location.path, first, last))
    return tuple(best.values())


def render_ranking(ranking: Sequence[SuspiciousLocation], top: int) -> RenderableType:
    """The first locations of a ranking, and how many there are besides."""
    more = len(ranking) - top
    rest = [Text(f"+{more:,} more", style="dim")] if more > 0 else []
    return Group(render_table(ranking, top), *rest)
