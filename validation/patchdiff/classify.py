"""What kind of difference one is, seen from the unpatched program.

The kinds are those of Wang et al. (2026, research question 3), decided by rules: whether the
patches change any function in common, and whether both change what the program does with an
input, or only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from validation.patchdiff.compare import differences
from validation.patchdiff.model import Discrepancy, WrittenDifference
from validation.patchdiff.targets import Texts, find_changes


class Kind(StrEnum):
    """Which of two patches departs from the unpatched program; the first is the reference."""

    DIVERGENT = "divergent-implementation"  # both do, in different ways
    SUPPLEMENTARY = "supplementary-change"  # only the second: the reference keeps it as it was
    ABSENT = "absent-change"  # only the reference: the second keeps it as it was
    UNALIGNED = "no-aligned-change"  # the patches change no function in common
    UNKNOWN = "unknown"  # the unpatched program cannot be asked


def classify(found: Discrepancy, tolerance: float = 1e-9, *, are_aligned: bool = True) -> Kind:
    """The kind of a difference between two versions; see `change_together` for `are_aligned`."""
    base = found.base
    if not are_aligned:
        return Kind.UNALIGNED
    if base is None or base.ended == "unusable" or len(found.outcomes) != 2:
        return Kind.UNKNOWN
    return _kind(*(bool(differences(base, each, tolerance)) for each in found.outcomes))


def classify_test(found: WrittenDifference, *, are_aligned: bool = True) -> Kind:
    """The same for a test that passes on one of two versions, seen from its outcome on the base."""
    outcomes = found.difference.outcomes
    if not are_aligned:
        return Kind.UNALIGNED
    if found.base is None or len(outcomes) != 2:
        return Kind.UNKNOWN
    return _kind(*(each.is_failure != found.base.is_failure for each in outcomes))


def _kind(reference: bool, other: bool) -> Kind:
    """What it is that the reference, and the other one, depart from the unpatched program."""
    if reference and other:
        return Kind.DIVERGENT
    return Kind.SUPPLEMENTARY if other else Kind.ABSENT


def change_together(base: Mapping[str, str], left: Texts, right: Texts) -> bool:
    """Whether two versions change a function in common, or both change a file outside functions.

    `left` and `right` hold the texts of the files that each changes.
    """
    return bool(_changed(base, left) & _changed(base, right))


def _changed(base: Mapping[str, str], texts: Texts) -> set[str]:
    """The keys of the functions that a version changes; the path where it changes none of it."""
    found: set[str] = set()
    for path, text in texts.items():
        functions = find_changes(({path: base.get(path)}, {path: text})).functions
        found |= set(functions) or {path}
    return found
