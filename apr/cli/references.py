"""What a dataset's reference version says of a repair; opened to judge, or for its lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apr.bench.divergence import IDENTICAL
from apr.bench.journal import ERROR
from apr.cli.divergences import GOLD, TOOL, is_same_program
from apr.comparison import NamedPatch, compare_patches
from apr.core.bug import Bug
from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.core.errors import AprError, BadInputError
from apr.core.patch import Patch, diff_texts, split_lines
from apr.core.scope import source_paths
from apr.datasets.dataset import Dataset
from apr.subject import SUFFIXES, prepare_subject
from validation.equivalence import NormalForms
from validation.patchdiff.model import DiffSettings
from validation.workspace import SourceTree

if TYPE_CHECKING:
    from apr.settings import RunSettings

REPEATS = 3


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a repair compares with the reference version.

    `exact`: the same code, but for layout and comments. `divergence` is that, or the verdict of
    the comparison by behaviour, or error; empty when nobody asked for it.
    """

    exact: bool
    divergence: str = ""
    message: str = ""


def reference_of(dataset: Dataset, bug: Bug, base: Mapping[str, str]) -> Patch | None:
    """The reference version as a patch of the buggy one; None where the dataset has none.

    Raises:
        PatchDoesNotApplyError: when it does not fit.
    """
    text = dataset.reference_patch(bug)
    if text is not None:
        return patch_from_diff(parse_diff(text.encode("utf-8", "surrogateescape")), base)
    program = dataset.reference_program(bug)
    return None if program is None else diff_texts(base, {program.path: program.source})


def perfect_locations(dataset: Dataset, bug: Bug) -> tuple[str, ...]:
    """The lines that the reference version changes, as `--location` has them.

    An insertion stands for the lines before and after it.

    Raises:
        BadInputError: when there is no reference version, or it changes no existing source.
    """
    base = SourceTree(Path(bug.subject))
    reference = reference_of(dataset, bug, base)
    if reference is None:
        raise BadInputError(f"{dataset.name} has no reference patch of {bug.name}")
    sources = set(source_paths(list(base), bug.source_globs, SUFFIXES))
    found = []
    for hunk in reference.hunks:
        if hunk.path in sources and hunk.path not in reference.created:
            count = len(split_lines(base[hunk.path]))
            first = hunk.first if hunk.old else max(1, hunk.first - 1)
            last = min(count, hunk.first + max(1, len(hunk.old)) - 1)
            found.append(f"{hunk.path}:{min(first, last)}-{last}")
    if not found:
        raise BadInputError(f"the reference patch of {bug.name} changes no line of the source")
    return tuple(found)


def compare_with_reference(
    reference: Patch, repair: Patch, bug: Bug, settings: RunSettings, seconds: float, seed: int
) -> Likeness:
    """Whether the repair is the reference version, and behaves like it as far as can be found.

    `seconds` bounds the comparison by behaviour; 0: the code alone is compared.
    """
    base = SourceTree(Path(bug.subject))
    if _is_same(reference, repair, base):
        return Likeness(exact=True, divergence=IDENTICAL if seconds else "")
    if not seconds:
        return Likeness(exact=False)
    how = DiffSettings(seconds=seconds, trace_s=2 * seconds, seed=seed, repeats=REPEATS)
    sides = [NamedPatch(GOLD, reference), NamedPatch(TOOL, repair)]
    try:
        with prepare_subject(bug, settings) as subject:
            report = compare_patches(subject, sides, how, lambda kind, data: None)
    except AprError as error:
        return Likeness(exact=False, divergence=ERROR, message=str(error))
    return Likeness(exact=False, divergence=report.verdict.value, message=report.reason)


def _is_same(left: Patch, right: Patch, base: Mapping[str, str]) -> bool:
    if is_same_program(left, right, base):
        return True
    texts = {path: base[path] for path in {*left.paths, *right.paths} if path in base}
    forms = NormalForms(texts, {})
    return forms.of(left) == forms.of(right)
