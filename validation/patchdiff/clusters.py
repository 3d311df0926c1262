"""Versions sorted by behaviour, from the inputs that tell some of them apart.

Agreement is the idea of CodeT (Chen et al. 2022) and S* (Li et al. 2025) without their tests: where
no truth is known, what most candidates do has the most to be said for it. It is no proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from validation.patchdiff.compare import differences
from validation.patchdiff.model import DiffReport, Outcome


@dataclass(frozen=True, slots=True)
class Group:
    """Versions, by index, that no valid input has told apart; `agreement` lies in [0, 1]."""

    members: tuple[int, ...]
    agreement: float


def classes_of(outcomes: Sequence[Outcome], tolerance: float = 1e-9) -> tuple[int, ...]:
    """For each outcome the index of the first one that is the same."""
    found: list[int] = []
    for index, outcome in enumerate(outcomes):
        same = (i for i in dict.fromkeys(found) if not differences(outcomes[i], outcome, tolerance))
        found.append(next(same, index))
    return tuple(found)


def group_versions(report: DiffReport) -> tuple[Group, ...]:
    """Groups of versions, the largest first, among equals the one that more others agree with."""
    count = len(report.versions)
    rows = [classes_of(found.outcomes) for found in report.discrepancies]
    members: dict[tuple[int, ...], list[int]] = {}
    for index in range(count):
        members.setdefault(tuple(row[index] for row in rows), []).append(index)
    groups = [
        Group(tuple(indices), _agreement(indices[0], rows, count)) for indices in members.values()
    ]
    return tuple(
        sorted(groups, key=lambda each: (-len(each.members), -each.agreement, each.members))
    )


def _agreement(index: int, rows: Sequence[tuple[int, ...]], count: int) -> float:
    """The share of versions that do what this one does, on average over the inputs."""
    if not rows:
        return 1.0
    return sum(row.count(row[index]) for row in rows) / (count * len(rows))
