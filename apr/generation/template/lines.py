"""Suspiciousness per line of a patched file."""

from __future__ import annotations

from collections.abc import Iterable

from apr.core.location import SuspiciousLocation
from apr.core.patch import Hunk, Patch

_NEAR = 6  # lines over which the attraction of an earlier edit halves


def base_line_scores(path: str, locations: Iterable[SuspiciousLocation]) -> dict[int, float]:
    """The highest suspiciousness of each 1-based line of the base; lines without any are absent."""
    scores: dict[int, float] = {}
    for each in locations:
        if each.location.path == path and each.suspiciousness > 0:
            for line in range(each.location.first, each.location.last + 1):
                scores[line] = max(scores.get(line, 0.0), each.suspiciousness)
    return scores


def line_scores(
    path: str, locations: Iterable[SuspiciousLocation], patch: Patch
) -> dict[int, float]:
    """Suspiciousness in (0, 1] of each line of `path` as `patch` leaves it.

    Lines written by the patch are as suspicious as those they replace; once a patch exists,
    lines near its hunks count up to twice as much (before the cut at 1).
    """
    base = base_line_scores(path, locations)
    if not patch.hunks:
        return base
    hunks = sorted(hunk for hunk in patch.hunks if hunk.path == path)
    moved = _moved(base, hunks)
    centres = _centres(hunks)
    return {line: score * _attraction(line, centres) for line, score in moved.items()}


def _moved(base: dict[int, float], hunks: list[Hunk]) -> dict[int, float]:
    moved: dict[int, float] = {}
    for line, score in base.items():
        shift = _shift(line, hunks)
        if shift is not None:
            moved[line + shift] = score
    shift = 0
    for hunk in hunks:
        old = [
            base.get(line, 0.0) for line in range(hunk.first - 1, hunk.first + len(hunk.old) + 1)
        ]
        for offset in range(len(hunk.new)):
            moved[hunk.first + shift + offset] = max(max(old), 0.1)
        shift += len(hunk.new) - len(hunk.old)
    return moved


def _shift(line: int, hunks: list[Hunk]) -> int | None:
    """How far an untouched base line moves; None for a replaced one."""
    shift = 0
    for hunk in hunks:
        if hunk.first <= line < hunk.first + len(hunk.old):
            return None
        if line >= hunk.first + len(hunk.old):
            shift += len(hunk.new) - len(hunk.old)
    return shift


def _centres(hunks: list[Hunk]) -> list[int]:
    centres, shift = [], 0
    for hunk in hunks:
        centres.append(hunk.first + shift)
        shift += len(hunk.new) - len(hunk.old)
    return centres


def _attraction(line: int, centres: list[int]) -> float:
    """0.5 far from every hunk (another file included), 1 beside one."""
    distance = min((abs(line - centre) for centre in centres), default=None)
    return 0.5 if distance is None else 0.5 + 0.5 / (1 + distance / _NEAR)
