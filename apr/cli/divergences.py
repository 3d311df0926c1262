"""Compares one predicted patch of SWE-bench with the reference patch."""

from __future__ import annotations

import ast
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from apr.bench.divergence import IDENTICAL, PatchComparison
from apr.bench.journal import ERROR
from apr.cli.progress import Listener
from apr.comparison import NamedPatch, compare_patches
from apr.core.candidate import patch_from_diff
from apr.core.diff.parse import parse_diff
from apr.core.errors import AprError
from apr.core.patch import Patch
from apr.datasets.swebench.instances import Instance, Prediction
from apr.datasets.swebench.local import Places, make_bug
from apr.subject import prepare_subject
from validation.patchdiff.classify import change_together, classify, classify_test
from validation.patchdiff.document import report_document
from validation.workspace import SourceTree

if TYPE_CHECKING:
    from apr.settings import RunSettings
    from validation.patchdiff.model import DiffSettings
    from validation.patchdiff.written import Author

SIDES = GOLD, TOOL = "gold", "tool"
OpenAuthor = Callable[[str], AbstractContextManager["Author | None"]]
"""Opens who writes tests, told what was reported."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all comparisons of one benchmark have in common."""

    places: Places
    settings: RunSettings
    how: DiffSettings
    open_author: OpenAuthor = lambda issue: nullcontext()


def digest_of(prediction: Prediction) -> str:
    """Tells predictions of one tool for one instance apart."""
    return hashlib.sha256(prediction.patch.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def compare_prediction(
    instance: Instance, prediction: Prediction, conditions: Conditions, listener: Listener
) -> PatchComparison:
    """The record of one prediction; trouble with the instance itself is recorded too."""
    started = time.monotonic()
    record = PatchComparison(instance.instance_id, prediction.tool, digest_of(prediction), ERROR)
    try:
        record = _compare(instance, prediction, conditions, listener, record)
    except AprError as error:
        record = replace(record, message=str(error))
    return replace(record, wall_s=round(time.monotonic() - started, 1))


def _compare(
    instance: Instance,
    prediction: Prediction,
    conditions: Conditions,
    listener: Listener,
    record: PatchComparison,
) -> PatchComparison:
    bug = make_bug(instance, conditions.places)
    with prepare_subject(bug, conditions.settings) as subject:
        base = SourceTree(subject.workspace.pristine)
        patches = [
            NamedPatch(name, patch_from_diff(parse_diff(text.encode("utf-8")), base))
            for name, text in ((GOLD, instance.gold_patch), (TOOL, prediction.patch))
        ]
        if is_same_program(patches[0].patch, patches[1].patch, base):
            return replace(record, verdict=IDENTICAL, message="the same program")
        with conditions.open_author(instance.problem_statement) as author:
            report = compare_patches(subject, patches, conditions.how, listener, author)
        left, right = (each.patch.apply(base) for each in patches)
        are_aligned = change_together(base, left, right)
    kinds = [classify(found, are_aligned=are_aligned) for found in report.discrepancies]
    if not kinds and report.written is not None:
        kinds = [
            classify_test(each, are_aligned=are_aligned) for each in report.written.differences
        ]
    return replace(
        record,
        verdict=report.verdict.value,
        kinds=tuple(kind.value for kind in kinds),
        message=report.reason,
        report=report_document(report),
    )


def is_same_program(left: Patch, right: Patch, base: Mapping[str, str]) -> bool:
    """Whether two patches lead to Python files that differ in layout and comments alone.

    A file that only one of them creates is a difference, even if nobody uses it.
    """
    ours, theirs = left.apply(base), right.apply(base)
    paths = {*ours, *theirs}
    return all(
        _form(path, ours.get(path, base.get(path))) == _form(path, theirs.get(path, base.get(path)))
        for path in paths
    )


def _form(path: str, text: str | None) -> str | None:
    if text is None or not path.endswith(".py"):
        return text
    try:
        return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
