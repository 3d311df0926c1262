"""Patches of several hunks as one, and which of them make the same edit everywhere."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise

from apr.core.patch import Hunk, Patch
from apr.generation.assembly.candidates import Candidate

Key = Callable[[Candidate], Hashable | None]
"""What makes two edits the same; None: nothing."""

Combination = tuple[Candidate, ...]


def join_patches(patches: Sequence[Patch]) -> Patch | None:
    """All edits in one patch; None when two of them meet, or files come or go."""
    if any(patch.created or patch.deleted for patch in patches):
        return None
    hunks = sorted(hunk for patch in patches for hunk in patch.hunks)
    if any(_meet(one, other) for one, other in pairwise(hunks)):
        return None
    return Patch(tuple(hunks))


def _meet(one: Hunk, other: Hunk) -> bool:
    """Whether two hunks, in order, claim the same lines or the same place to insert at."""
    if one.path != other.path:
        return False
    at_one_place = one.first == other.first and not one.old and not other.old
    return at_one_place or one.first + len(one.old) > other.first


def same_everywhere(hunks: Sequence[Sequence[Candidate]], key: Key) -> list[Combination]:
    """For each edit that is a candidate of every hunk, those candidates.

    In the order of MultiMend: the sum of the ranks, and of equal ones the highest score.
    """
    first_of = [_first_by_key(candidates, key) for candidates in hunks]
    shared = [edit for edit in first_of[0] if all(edit in other for other in first_of[1:])]
    found = [tuple(each[edit] for each in first_of) for edit in shared]
    return sorted(found, key=lambda c: (sum(x.number for x in c), -max(x.score for x in c)))


def _first_by_key(candidates: Sequence[Candidate], key: Key) -> dict[Hashable, Candidate]:
    found: dict[Hashable, Candidate] = {}
    for candidate in candidates:
        edit = key(candidate)
        if edit is not None:
            found.setdefault(edit, candidate)
    return found
