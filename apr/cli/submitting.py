"""Writes the folder of a submission from the records of a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from apr.cli.output import emit, err_console
from apr.cli.request import open_service
from apr.core.errors import BadInputError
from apr.core.patch import Patch
from apr.results.details import RunDetails, load_details
from apr.results.submission import Entry, render_metadata, render_predictions, render_readme
from apr.results.trajectory import render_trajectory
from apr.settings import AppSettings
from apr.storage.catalog import RunCatalog
from apr.storage.exchanges import Exchange
from validation.workspace import SourceTree

if TYPE_CHECKING:
    from apr.bench.records import BugRecord, Protocol
    from apr.cli.trials import Plan
    from apr.service import Service


def write_submission(plan: Plan, folder: Path, *, given_tests: bool) -> None:
    """Write what `apr.results.submission` describes; files of an earlier one are replaced.

    Raises:
        BadInputError: when the folder cannot be written.
    """
    ((protocol, file),) = plan.files.items()
    records = [file.done[bug.name] for bug in plan.dataset.bugs]
    entry = describe_entry(protocol, given_tests=given_tests)
    service = open_service()
    texts = {
        "all_preds.jsonl": render_predictions(records, entry),
        "metadata.yaml": render_metadata(entry),
        "README.md": render_readme(records, entry),
    }
    for record in records:
        texts[f"trajs/{record.bug}.md"] = _trajectory(record, service)
        texts[f"logs/{record.bug}/patch.diff"] = record.diff
    for name, text in texts.items():
        _write(folder / name, text)
    err_console().print(f"wrote {len(records)} predictions to {folder}", soft_wrap=True)


def describe_entry(protocol: Protocol, *, given_tests: bool) -> Entry:
    """Who has proposed the patches of a benchmark, and by which rules."""
    settings = protocol.settings
    model = settings.generator if settings.llm is None else settings.llm.model
    safe = "".join(each if each.isalnum() or each in "._-" else "-" for each in model)
    return Entry(safe, settings.llm is not None, settings.patches, given_tests)


def _trajectory(record: BugRecord, service: Service) -> str:
    if not record.run:
        return f"# {record.bug}\n\nNothing was searched: {record.message}\n"
    try:
        details = load_details(service, service.get_run(record.run))
    except BadInputError:
        return f"# {record.bug}\n\nRun {record.run} is not in the database of this machine.\n"
    return render_trajectory(
        details, SourceTree(Path(details.run.bug.subject)), _exchanges(details)
    )


def _exchanges(details: RunDetails) -> Callable[[Patch], Exchange | None]:
    """What the run's model was asked and answered."""
    from apr.bootstrap import open_engine

    catalog = RunCatalog(open_engine(AppSettings()))
    return lambda patch: catalog.exchange(details.run, patch.digest)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    emit(text, path)
