"""Curves of bugs fixed, drawn as one self-contained SVG picture without a library.

The picture follows the reader's light or dark theme. Curves differ in colour, dashes and the
marks at their ends, and a legend names them with their counts, so that colour alone says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from apr.bench.comparison import Trials
from apr.bench.curves import Curve, LogAxis, candidates_to_fix, curves, seconds_to_fix
from apr.cli.text import one_line, shorten

WIDTH, PLOT_WIDTH, PLOT_HEIGHT = 900, 360, 250
TOP, LEFT, GAP = 58, 56, 72
LEGEND_LINE = 20
SERIES = (
    ("#0550ae", "#79c0ff", ""),
    ("#a40e26", "#ffa198", "7 3"),
    ("#116329", "#7ee787", "2 3"),
    ("#8250df", "#d2a8ff", "9 3 2 3"),
    ("#953800", "#ffa657", "4 2"),
    ("#57606a", "#c9d1d9", "12 4"),
)
"""Of one curve after the other: its colour on white and on black, and its dashes."""
_DARK = " ".join(f".curve-{n}{{--curve:{dark}}}" for n, (_, dark, _) in enumerate(SERIES))
_LIGHT = " ".join(f".curve-{n}{{--curve:{light}}}" for n, (light, _, _) in enumerate(SERIES))
STYLE = (
    ".curves{font:12px system-ui,sans-serif}.curves text{fill:#1f2328}"
    ".curves .paper{fill:#fff}.curves .grid{stroke:#d0d7de}.curves .axis{stroke:#57606a;fill:none}"
    ".curves .title{font-size:14px;font-weight:600}"
    ".curves .line{fill:none;stroke:var(--curve);stroke-width:2.2}"
    f".curves .mark{{fill:var(--curve)}} {_LIGHT} "
    "@media(prefers-color-scheme:dark){.curves text{fill:#e6edf3}.curves .paper{fill:#0d1117}"
    f".curves .grid{{stroke:#30363d}}.curves .axis{{stroke:#8b949e}} {_DARK}}}"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot: its title, its curves, its axis, and the pixel at which that begins."""

    title: str
    curves: Sequence[Curve]
    axis: LogAxis
    left: float

    def place(self, value: float) -> float:
        """Where a value stands, in pixels."""
        return self.left + PLOT_WIDTH * self.axis.place(value)


def render_curves(trials: Sequence[Trials], heading: str = "Bugs fixed") -> str:
    """Two plots side by side, over candidates and over seconds, with one legend."""
    panels = [
        _panel("within so many candidates", curves(trials, candidates_to_fix), 1.0, LEFT),
        _panel(
            "within so many seconds of search",
            curves(trials, seconds_to_fix),
            0.1,
            LEFT + PLOT_WIDTH + GAP,
        ),
    ]
    legend = panels[0].curves
    height = TOP + PLOT_HEIGHT + 52 + LEGEND_LINE * len(legend)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="curves" role="img"'
            f' viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
            f"<title>{_text(heading)}</title>",
            f"<desc>{_text('. '.join(map(_describe, legend)))}.</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            f'<text class="title" x="{LEFT}" y="24">{_text(heading)}</text>',
            *(line for panel in panels for line in _draw(panel)),
            *(line for n, curve in enumerate(legend) for line in _legend(n, curve)),
            "</svg>\n",
        ]
    )


def _panel(title: str, found: Sequence[Curve], low: float, left: float) -> Panel:
    highest = max((cost for curve in found for cost in curve.costs), default=low)
    return Panel(title, found, LogAxis(low, max(highest, 10 * low)), left)


def _describe(curve: Curve) -> str:
    return f"{one_line(curve.name)}: {len(curve.costs):,} of {curve.runs:,} ({curve.share:.0%})"


def _draw(panel: Panel) -> Iterator[str]:
    bottom, right = TOP + PLOT_HEIGHT, panel.left + PLOT_WIDTH
    yield f'<text x="{panel.left:.0f}" y="{TOP - 12}">{_text(panel.title)}</text>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _height(share)
        yield f'<path class="grid" d="M{panel.left:.1f} {y:.1f}H{right:.1f}"/>'
        label = f'<text x="{panel.left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">'
        yield f"{label}{share:.0%}</text>"
    for tick in panel.axis.ticks():
        x = panel.place(tick)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:,g}</text>'
    yield f'<path class="axis" d="M{panel.left:.1f} {TOP}V{bottom}H{right:.1f}"/>'
    for number, curve in enumerate(panel.curves):
        yield from _line(number, curve, panel)


def _line(number: int, curve: Curve, panel: Panel) -> Iterator[str]:
    """Steps up to the end of the axis, and a mark there."""
    path = f"M{panel.left:.1f} {_height(0.0):.1f}"
    for cost, share in curve.points():
        path += f"H{panel.place(cost):.1f}V{_height(share):.1f}"
    x, y = panel.left + PLOT_WIDTH, _height(curve.share)
    group = f'<g class="curve-{number % len(SERIES)}">'
    dashes = SERIES[number % len(SERIES)][2]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    yield f'{group}<path class="line"{dashed} d="{path}H{x:.1f}"/>{_mark(number, x, y)}</g>'


def _mark(number: int, x: float, y: float) -> str:
    """A circle, a square, a triangle or a diamond, one after the other."""
    shapes = (
        f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        f'<path class="mark" d="M{x - 4:.1f} {y - 4:.1f}h8v8h-8z"/>',
        f'<path class="mark" d="M{x:.1f} {y - 5:.1f}l5 9h-10z"/>',
        f'<path class="mark" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>',
    )
    return shapes[number % len(shapes)]


def _legend(number: int, curve: Curve) -> Iterator[str]:
    y = TOP + PLOT_HEIGHT + 46 + LEGEND_LINE * number
    dashes = SERIES[number % len(SERIES)][2]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    yield f'<g class="curve-{number % len(SERIES)}">'
    yield f'<path class="line"{dashed} d="M{LEFT} {y}h34"/>{_mark(number, LEFT + 17, y)}</g>'
    yield f'<text x="{LEFT + 44}" y="{y + 4}">{_text(shorten(_describe(curve), 110))}</text>'


def _height(share: float) -> float:
    """Where a share in [0, 1] stands, in pixels."""
    return TOP + PLOT_HEIGHT * (1.0 - share)


def _text(text: str) -> str:
    return escape(text)
