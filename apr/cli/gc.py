"""`apr gc`: forgets old runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from apr.cli import options as o
from apr.cli.output import Format, emit, emit_json
from apr.cli.request import open_service
from apr.cli.text import count

KEEP_DAYS = 90


def gc(
    days: Annotated[
        float,
        typer.Option("--days", metavar="N", min=0, help="Keep runs that ended in the last N days."),
    ] = KEEP_DAYS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    form: o.FormatOption = Format.TEXT,
) -> None:
    """Delete runs that ended long ago, with their trees, events and files.

    Runs that wait, are executed or were never finished are kept. What is kept for later runs has a
    bound of its own.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    garbage = open_service().delete_runs(before, only_count=dry_run)
    if form is Format.JSON:
        emit_json(
            {
                "runs": garbage.runs,
                "files": garbage.blobs,
                "bytes": garbage.size,
                "deleted": not dry_run,
            }
        )
        return
    verb = "would be deleted" if dry_run else "deleted"
    files = f"{count(garbage.blobs, 'file')} of {garbage.size / 1024:,.0f} KiB"
    emit(f"{count(garbage.runs, 'run')} and {files} {verb}\n")
