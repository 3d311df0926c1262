"""Which functions the model is asked about, and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apr.core.location import SuspiciousLocation
from apr.core.patch import Patch
from apr.generation.prompt.answer import Focus
from apr.source.statements import index_source

AROUND = 10  # lines shown on both sides of code that is in no function
REFINED = 2.0  # the weight of a function that the patch at hand has changed already


def weigh_functions(
    sources: Mapping[str, str],
    locations: Sequence[SuspiciousLocation],
    patch: Patch,
    most: int,
) -> list[tuple[Focus, float]]:
    """The `most` likely places with their weights, the likeliest first.

    `sources` are the texts as `patch` leaves them; `locations` are given in lines of the base. A
    function weighs as much as its most suspicious line; one that `patch` changes comes first,
    since a half-right edit there is what the search has found so far.
    """
    weights: dict[Focus, float] = {}
    for hunk in patch.hunks:
        focus = _focus_at(sources, hunk.path, patch.moved(hunk.path, hunk.first), None)
        if focus is not None:
            weights[focus] = REFINED
    for suspect in locations:
        place = suspect.location
        line = patch.moved(place.path, place.first)
        focus = _focus_at(sources, place.path, line, suspect.function)
        if focus is not None:
            weights.setdefault(focus, max(suspect.suspiciousness, 1e-6))
        if len(weights) >= most:
            break
    return list(weights.items())[:most]


def _focus_at(sources: Mapping[str, str], path: str, line: int, name: str | None) -> Focus | None:
    if path not in sources:
        return None
    index = index_source(path, sources[path])
    named = [f for f in index.functions if f.name == name]
    function = named[0] if len(named) == 1 else index.function_at(line)
    if function is not None:
        short = function.name.rpartition(".")[2]
        return Focus(path, function.first, function.last, short)
    last = max(sources[path].count("\n"), 1)
    return Focus(path, max(1, min(line, last) - AROUND), min(last, line + AROUND))


def take_turns(weighted: Sequence[tuple[Focus, float]], turn: int) -> Focus:
    """Whose turn it is (from 0): turns are shared out in proportion to the weights (D'Hondt)."""
    counts = [0] * len(weighted)
    chosen = 0
    for _ in range(turn + 1):
        chosen = max(range(len(weighted)), key=lambda i: (weighted[i][1] / (counts[i] + 1), -i))
        counts[chosen] += 1
    return weighted[chosen][0]
