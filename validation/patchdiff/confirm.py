"""A difference is believed when it shows again and again, in sandboxes that know of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from validation.patchdiff.compare import differences, without_order
from validation.patchdiff.model import Aspect, Call, Confirmation, Outcome, Target
from validation.patchdiff.sessions import Place, Version, perform_fresh


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The repeats of one call: what they came to, and the outcomes of the first."""

    confirmation: Confirmation
    outcomes: tuple[Outcome, ...]
    base: Outcome | None
    aspects: tuple[Aspect, ...]


def confirm(
    versions: Sequence[Version],
    base: Version | None,
    place: Place,
    target: Target,
    call: Call,
    *,
    limit_s: float,
    repeats: int,
    tolerance: float,
    workers: int = 2,
) -> Confirmed:
    """Perform the call `repeats` times on every version and the base, each in a fresh sandbox.

    Each repeat hashes texts by another seed, and happens at another time: whatever depends on
    either contradicts itself.
    """
    everyone = [*versions, *([base] if base is not None else [])]
    jobs = [(version, run) for run in range(repeats) for version in everyone]

    def perform(job: tuple[Version, int]) -> Outcome:
        return perform_fresh(job[0], place, target, call, limit_s, job[1])

    with ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(perform, jobs))
    rows = [answers[i : i + len(everyone)] for i in range(0, len(answers), len(everyone))]
    found, aspects = _weigh(rows, len(versions), tolerance)
    if found.is_unsteady:
        # Where only the order of items is chance, the items themselves may still differ or agree.
        sorted_rows = [[without_order(outcome) for outcome in row] for row in rows]
        again, others = _weigh(sorted_rows, len(versions), tolerance)
        if not again.is_unsteady:
            found, aspects, rows = again, others, sorted_rows
    return Confirmed(
        found,
        tuple(rows[0][: len(versions)]),
        rows[0][-1] if base is not None else None,
        aspects,
    )


def _weigh(
    rows: Sequence[Sequence[Outcome]], versions: int, tolerance: float
) -> tuple[Confirmation, tuple[Aspect, ...]]:
    """How often versions differ, whether each agrees with itself, and in what they differ.

    What a version says differently each time is chance; what differs beside it may be none.
    """
    own = [
        {a for row in rows for a in differences(rows[0][index], row[index], tolerance)}
        for index in range(versions)
    ]
    chance = frozenset().union(*own)
    told = [aspects_of(row[:versions], tolerance) for row in rows]
    lasting = tuple(a for a in told[0] if a not in chance and all(a in each for each in told))
    if lasting and not chance & {Aspect.ENDING, Aspect.EXCEPTION}:
        return Confirmation(len(rows), len(rows), (True,) * versions), lasting
    steady = tuple(not each for each in own)
    return Confirmation(len(rows), sum(map(bool, told)), steady), told[0]


def aspects_of(outcomes: Sequence[Outcome | None], tolerance: float) -> tuple[Aspect, ...]:
    """In what any of the outcomes differs from the first; nothing when one is missing."""
    first = outcomes[0]
    if first is None or any(each is None for each in outcomes):
        return ()
    found = [
        a for each in outcomes[1:] if each is not None for a in differences(first, each, tolerance)
    ]
    return tuple(dict.fromkeys(found))
