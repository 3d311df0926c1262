"""Where the fault may be: the subject's source with the suspiciousness of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from apr.core.location import SuspiciousLocation
from apr.core.patch import Patch
from web.pages.highlight import highlight_file

STEPS = 10
HOT = 0.5
CONTEXT = 3
MOST_FILES = 12
MOST_LOCATIONS = 400


@dataclass(frozen=True, slots=True)
class HeatLine:
    """A line of source, 1-based; `value` in [0, 1] and `step` in 0..10 where it is suspicious.

    `hidden` counts cold lines that are left out before it.
    """

    number: int
    code: Markup
    value: float | None
    step: int | None
    is_patched: bool
    hidden: int

    @property
    def is_hot(self) -> bool:
        """Whether it is as suspicious as what a reader should look at first."""
        return self.value is not None and self.value >= HOT


@dataclass(frozen=True, slots=True)
class HeatFile:
    """A file with its hottest value; `below` counts the lines after the last one shown."""

    path: str
    hottest: float
    lines: tuple[HeatLine, ...]
    below: int

    @property
    def is_open(self) -> bool:
        """Whether its source is shown at once."""
        return self.hottest >= HOT or any(line.is_patched for line in self.lines)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A location in the ranking; ties share the best rank."""

    rank: int
    suspect: SuspiciousLocation
    anchor: str


@dataclass(frozen=True, slots=True)
class HeatView:
    """The ranking and the files, the hottest first; `absent` cannot be read any more."""

    ranking: tuple[Suspect, ...]
    total: int
    files: tuple[HeatFile, ...]
    absent: tuple[str, ...]


def heat_view(
    locations: Sequence[SuspiciousLocation],
    sources: Mapping[str, str],
    patch: Patch | None,
    top: int = 20,
) -> HeatView:
    """The files that the suspects are in; `patch` is the best one, marked in the margin."""
    heat = _heat(locations[:MOST_LOCATIONS])
    paths = sorted(heat, key=lambda path: (-max(heat[path].values()), path))
    shown = [path for path in paths if path in sources][:MOST_FILES]
    order = {path: number for number, path in enumerate(shown, 1)}
    return HeatView(
        tuple(_ranking(locations[:top], order)),
        len(locations),
        tuple(_file(path, sources[path], heat[path], _patched(patch, path)) for path in shown),
        tuple(path for path in paths if path not in sources),
    )


def heat_paths(locations: Sequence[SuspiciousLocation]) -> tuple[str, ...]:
    """The files that a heat map needs."""
    return tuple(_heat(locations[:MOST_LOCATIONS]))


def _heat(locations: Sequence[SuspiciousLocation]) -> dict[str, dict[int, float]]:
    heat: dict[str, dict[int, float]] = {}
    for suspect in locations:
        where = suspect.location
        lines = heat.setdefault(where.path, {})
        for line in range(where.first, where.last + 1):
            lines[line] = max(lines.get(line, 0.0), suspect.suspiciousness)
    return heat


def _patched(patch: Patch | None, path: str) -> set[int]:
    hunks = () if patch is None else patch.only(path).hunks
    return {line for h in hunks for line in range(h.first, h.first + max(1, len(h.old)))}


def _ranking(locations: Sequence[SuspiciousLocation], order: Mapping[str, int]) -> list[Suspect]:
    ranking: list[Suspect] = []
    for position, suspect in enumerate(locations):
        tied = ranking and ranking[-1].suspect.suspiciousness == suspect.suspiciousness
        where = suspect.location
        anchor = f"f{order[where.path]}-{where.first}" if where.path in order else ""
        ranking.append(Suspect(ranking[-1].rank if tied else position + 1, suspect, anchor))
    return ranking


def _file(path: str, text: str, heat: Mapping[int, float], patched: set[int]) -> HeatFile:
    code = highlight_file(path, text)
    wanted = {n + step for n in (*heat, *patched) for step in range(-CONTEXT, CONTEXT + 1)}
    numbers = sorted(n for n in wanted if 1 <= n <= len(code))
    lines: list[HeatLine] = []
    previous = 0
    for number in numbers:
        value = heat.get(number)
        step = None if value is None else round(STEPS * min(1.0, max(0.0, value)))
        hidden = number - previous - 1
        lines.append(HeatLine(number, code[number - 1], value, step, number in patched, hidden))
        previous = number
    return HeatFile(path, max(heat.values()), tuple(lines), len(code) - previous)
