"""Curves of bugs fixed over patches, time or money: a drawing, and the same figures as a table."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from apr.bench.comparison import Comparison, Trials
from apr.bench.curves import (
    Cost,
    Curve,
    LogAxis,
    candidates_to_fix,
    curves,
    dollars_to_fix,
    seconds_to_fix,
)
from web.pages import words

WIDTH, HEIGHT, LEFT, BELOW, ABOVE, RIGHT = 640, 260, 44, 34, 14, 20
DASHES = ("", "7 4", "2 4", "10 4 2 4", "4 2")
"""One a variant, so that curves differ without colour."""
MOST_TICKS = 8
LEAST_USD = 0.0001
STEPS = ((1, 2, 5), (1,))
"""Ticks of each power of ten, as far as there is room."""


class Over(StrEnum):
    """What bugs are fixed over."""

    PATCHES = "patches"
    TIME = "time"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Line:
    """One variant's curve as an SVG path; `number` tells it apart, `last` is its end."""

    variant: str
    number: int
    path: str
    dashes: str
    last: str
    fixed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves with their axes; `problem` says why there are none.

    `note` says what a bug's cost is. The `fixed` figures of a line stand for the ticks `across`.
    """

    over: Over
    note: str
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    problem: str


_COSTS: dict[Over, tuple[Cost, float, Callable[[float], str], str]] = {
    Over.PATCHES: (
        *(candidates_to_fix, 1.0, lambda value: f"{value:,.0f}"),
        "Candidates up to and with the first plausible one.",
    ),
    Over.TIME: (
        *(seconds_to_fix, 0.01, words.duration),
        "Seconds of the whole search that fixed the bug: no less than the patch itself took.",
    ),
    Over.MONEY: (
        *(dollars_to_fix, LEAST_USD, words.money),
        "US dollars of the whole search that fixed the bug; replies known before cost nothing.",
    ),
}


def chart(trials: Sequence[Trials], comparison: Comparison, over: Over) -> Chart:
    """The curves of the bugs that all variants have in common."""
    cost, least, told, note = _COSTS[over]
    found = curves([_common(each, comparison) for each in trials], cost)
    highest = max((price for curve in found for price in curve.costs), default=0.0)
    if highest <= 0.0:
        problem = "No search cost any money." if over is Over.MONEY else "No bug was fixed."
        return Chart(over, note, (), (), (), problem)
    axis = _axis(found, least, comparison.budget if over is Over.PATCHES else highest)
    bugs = len(comparison.bugs)
    ticks = _ticks(axis)
    return Chart(
        over,
        note,
        tuple(_line(n, each, axis, ticks, bugs) for n, each in enumerate(found)),
        tuple(Tick(_across(axis, tick), told(tick)) for tick in ticks),
        tuple(Tick(_height(n / bugs), str(n)) for n in range(0, bugs + 1, max(1, -(-bugs // 5)))),
        "",
    )


def _common(trials: Trials, comparison: Comparison) -> Trials:
    records = {
        seed: {bug: trials.records[seed][bug] for bug in comparison.bugs}
        for seed in comparison.seeds
    }
    return Trials(trials.variant, records)


def _axis(found: Sequence[Curve], least: float, highest: float) -> LogAxis:
    lowest = min(price for curve in found for price in curve.costs)
    low = max(least, 10.0 ** math.floor(math.log10(max(lowest, least))))
    return LogAxis(low, max(highest, 10 * low))


def _line(number: int, curve: Curve, axis: LogAxis, ticks: Sequence[float], bugs: int) -> Line:
    """Steps, one a pixel at most, up to the end of the axis."""
    steps = {round(_across(axis, cost)): share for cost, share in curve.points()}
    path = f"M{LEFT} {_height(0.0):.0f}" + "".join(
        f"H{x}V{_height(share):.1f}" for x, share in steps.items()
    )
    return Line(
        curve.name,
        number,
        f"{path}H{WIDTH - RIGHT}",
        DASHES[number % len(DASHES)],
        _bugs(curve.share * bugs),
        tuple(_fixed(curve, ticks, bugs)),
    )


def _fixed(curve: Curve, ticks: Sequence[float], bugs: int) -> Iterator[str]:
    for tick in ticks:
        yield _bugs(bisect_right(curve.costs, tick * 1.001) / curve.runs * bugs)


def _bugs(number: float) -> str:
    """Bugs, averaged over the seeds."""
    return f"{number:.1f}".removesuffix(".0")


def _ticks(axis: LogAxis) -> list[float]:
    """Round numbers, so many as there is room for."""
    found = next((t for s in STEPS if len(t := axis.ticks(s)) <= MOST_TICKS), axis.ticks())
    return found[:: max(1, -(-len(found) // MOST_TICKS))]


def _across(axis: LogAxis, value: float) -> float:
    """Where a value stands, in pixels."""
    return LEFT + (WIDTH - LEFT - RIGHT) * axis.place(value)


def _height(share: float) -> float:
    return HEIGHT - BELOW - share * (HEIGHT - ABOVE - BELOW)
