"""Suspicious locations for a terminal: a heat map of the source, and a table of the ranking.

Readable without colour, since every line shows its value and a bar. Source text is untrusted: no
control or direction-changing character of it reaches the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from apr.core.location import SuspiciousLocation
from apr.core.patch import split_lines

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "12345678"
_TAB_WIDTH = 4
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COOL, _HOT = (255, 236, 160), (226, 70, 52)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A rich renderable; `heat` maps path, then 1-based line, to suspiciousness in [0, 1]."""

    sources: Mapping[str, str]
    heat: Mapping[str, Mapping[int, float]]
    context: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for path, heat in self.heat.items():
            title = printable(path, ascii_only=options.ascii_only)
            yield Text(title, style="bold", overflow="fold")
            yield from self._render_file(split_lines(self.sources[path]), heat, options)

    def _render_file(
        self, lines: list[str], heat: Mapping[int, float], options: ConsoleOptions
    ) -> Iterator[Text]:
        ascii_only = options.ascii_only
        shown, previous = _shown_lines(heat, len(lines), self.context), 0
        for line in shown:
            if line > previous + 1:
                yield _fold(line - previous - 1, ascii_only)
            yield _source_line(line, lines[line - 1], heat.get(line), len(str(shown[-1])), options)
            previous = line
        if len(lines) > previous:
            yield _fold(len(lines) - previous, ascii_only)


def render_heatmap(
    sources: Mapping[str, str],
    ranking: Sequence[SuspiciousLocation],
    *,
    context: int = 2,
    top: int | None = None,
) -> HeatMap:
    """The source around the `top` (None: all) most suspicious locations of `ranking`.

    Files come in the order of their hottest line, `context` lines are shown around each location
    and the rest is folded. Locations outside of `sources` are left out.
    """
    heat: dict[str, dict[int, float]] = {}
    for location in ranking[:top]:
        where = location.location
        if where.path in sources:
            lines = heat.setdefault(where.path, {})
            for line in range(where.first, where.last + 1):
                lines[line] = max(lines.get(line, 0.0), location.suspiciousness)
    order = sorted(heat, key=lambda path: (-max(heat[path].values()), path))
    return HeatMap(sources, {path: heat[path] for path in order}, context)


def _shown_lines(heat: Mapping[int, float], count: int, context: int) -> list[int]:
    near = {line + step for line in heat for step in range(-context, context + 1)}
    return sorted(line for line in near if 1 <= line <= count)


def _fold(count: int, ascii_only: bool) -> Text:
    mark, noun = "..." if ascii_only else "⋯", "line" if count == 1 else "lines"
    return Text(f"       {mark} {count} {noun}", style="dim", no_wrap=True)


def _source_line(
    line: int, source: str, value: float | None, width: int, options: ConsoleOptions
) -> Text:
    text = Text(no_wrap=True, overflow="crop" if options.ascii_only else "ellipsis")
    if value is None:
        text.append(" " * 6, style="dim")
    else:
        text.append(f"{value:.2f} {_bar(value, options.ascii_only)}", style=_bar_style(value))
    text.append(f" {line:>{width}} {'|' if options.ascii_only else '│'} ", style="dim")
    shown = printable(source, ascii_only=options.ascii_only)
    text.append(shown, style="" if value is None else _background(value))
    return text


def _bar(value: float, ascii_only: bool) -> str:
    steps = _ASCII_BARS if ascii_only else _BARS
    return steps[min(len(steps) - 1, max(0, int(value * len(steps))))]


def _bar_style(value: float) -> str:
    return "bold red" if value >= 0.75 else "red" if value >= 0.5 else "yellow"


def _background(value: float) -> Style:
    red, green, blue = (
        round(cool + (hot - cool) * min(1.0, max(0.0, value)))
        for cool, hot in zip(_COOL, _HOT, strict=True)
    )
    return Style(color="black", bgcolor=f"rgb({red},{green},{blue})")


def printable(text: str, *, ascii_only: bool = False) -> str:
    r"""One line of `text` with tabs expanded and every unsafe character as `\x1b` or `\u202e`."""
    line = text.removesuffix("\n").removesuffix("\r").expandtabs(_TAB_WIDTH)
    return "".join(_escape(char) if _is_unsafe(char, ascii_only) else char for char in line)


def _is_unsafe(char: str, ascii_only: bool) -> bool:
    return unicodedata.category(char) in _UNSAFE or (ascii_only and not char.isascii())


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def render_table(ranking: Sequence[SuspiciousLocation], top: int | None = 10) -> Table:
    """The first `top` (None: all) locations with rank, suspiciousness, function and evidence.

    Equally suspicious locations share the best rank of their tie.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("susp.", justify="right")
    table.add_column("location", overflow="fold")
    table.add_column("function", overflow="fold")
    table.add_column("evidence")
    rank = 1
    for position, location in enumerate(ranking[:top]):
        if location.suspiciousness != ranking[rank - 1].suspiciousness:
            rank = position + 1
        cells = (f"{rank}", f"{location.suspiciousness:.3f}", str(location.location))
        names = (location.function or "", location.formula)
        table.add_row(*(Text(printable(cell)) for cell in (*cells, *names)))
    return table
