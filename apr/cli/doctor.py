"""`apr doctor`: what this machine can do, and the command that adds what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from apr.cli import options as o
from apr.cli.output import Format, emit_json, emit_rich
from apr.cli.text import one_line
from apr.core.errors import BadInputError, ExitCode

if TYPE_CHECKING:
    from apr.cli.probes import Check


def doctor(image: o.ImageOption = None, form: o.FormatOption = Format.TEXT) -> None:
    """Say what this machine can do, and how to add what it lacks."""
    from apr.cli.probes import probe_machine
    from apr.settings import AppSettings
    from validation.sandbox.images.request import Origin, parse_request

    if image is not None and parse_request(image).origin is not Origin.NAMED:
        raise BadInputError(f"doctor builds nothing: apr sandbox build PATH --image {image} does")
    checks = list(probe_machine(AppSettings(), image))
    ready = is_ready(checks)
    if form is Format.JSON:
        emit_json({"ready": ready, "checks": [asdict(check) for check in checks]})
    else:
        verdict = "apr fix works here" if ready else "apr fix cannot work here yet"
        style = "bold green" if ready else "bold red"
        emit_rich(render_checks(checks), Text(), Text(verdict, style=style))
    raise typer.Exit(int(ExitCode.OK if ready else ExitCode.ENVIRONMENT))


def is_ready(checks: Sequence[Check]) -> bool:
    """Whether nothing that a repair needs is lacking."""
    return all(check.ok for check in checks if check.needed)


def render_checks(checks: Sequence[Check]) -> Table:
    """One line a check, and the remedy below one that failed."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    group = ""
    for check in checks:
        mark, style = _mark(check)
        detail = Text(one_line(check.detail))
        if check.remedy:
            detail.append(f"\n→ {one_line(check.remedy)}", style="dim")
        title = "" if check.group == group else check.group
        group = check.group
        table.add_row(title, Text(mark, style=style), Text(check.name), detail)
    return table


def _mark(check: Check) -> tuple[str, str]:
    if check.ok:
        return "yes", "green"
    return ("NO", "bold red") if check.needed else ("no", "yellow")
