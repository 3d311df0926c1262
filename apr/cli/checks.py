"""Checks one bug of a benchmark: without a patch its tests fail, with the reference patch none."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apr.bench.check import NOT_REPRODUCED, UNUSABLE, BugCheck, judge_check
from apr.bench.journal import ERROR
from apr.core.bug import Bug
from apr.core.diff import FileChange, parse_diff
from apr.core.errors import AprError, BadInputError, NotReproducedError
from apr.core.patch import diff_texts, render_diff
from apr.datasets.dataset import Dataset
from apr.repair import judge_diffs, measure_oracle
from apr.subject import prepare_subject
from validation.workspace import SourceTree

if TYPE_CHECKING:
    from apr.settings import RunSettings


def check_bug(dataset: Dataset, bug: Bug, settings: RunSettings) -> BugCheck:
    """What the tests say of the bug as it is, and of its reference patch."""
    started = time.monotonic()
    try:
        check = _check(dataset, bug, settings)
    except NotReproducedError as error:
        check = BugCheck(bug.name, NOT_REPRODUCED, str(error))
    except BadInputError as error:
        check = BugCheck(bug.name, UNUSABLE, str(error))
    except AprError as error:
        check = BugCheck(bug.name, ERROR, str(error))
    return replace(check, wall_s=round(time.monotonic() - started, 2))


def _check(dataset: Dataset, bug: Bug, settings: RunSettings) -> BugCheck:
    bug = dataset.prepare(bug)
    changes = reference_changes(dataset, bug)
    with prepare_subject(bug, settings) as subject:
        oracle = measure_oracle(bug, subject, settings, _silent)
        (report,) = judge_diffs([changes], subject, oracle, settings, _silent)
    return judge_check(bug.name, oracle.baseline, report)


def _silent(kind: str, data: Mapping[str, Any]) -> None:
    """Nobody follows a single check."""


def reference_changes(dataset: Dataset, bug: Bug) -> Sequence[FileChange]:
    """The reference patch as a diff, however the benchmark publishes it.

    Raises:
        BadInputError: when there is none, or it changes nothing.
    """
    text = dataset.reference_patch(bug)
    program = dataset.reference_program(bug) if text is None else None
    if program is not None:
        base = SourceTree(Path(bug.subject))
        patch = diff_texts({program.path: base[program.path]}, {program.path: program.source})
        text = render_diff(patch, base)
    if not text:
        raise BadInputError("it has no reference patch that changes anything")
    return parse_diff(text.encode("utf-8", "surrogateescape"))
