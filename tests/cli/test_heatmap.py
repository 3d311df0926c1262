"""The terminal heat map and the ranking table."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from apr.cli.heatmap import printable, render_heatmap, render_table
from apr.core.location import Location, SuspiciousLocation


def suspect(path: str, first: int, last: int, value: float) -> SuspiciousLocation:
    return SuspiciousLocation(Location(path, first, last), value, "ochiai", "f")


def show(renderable: RenderableType, *, colour: bool = False, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(
        file=stream,
        width=60,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        legacy_windows=False,
    )
    console.print(renderable)
    stream.flush()
    return raw.getvalue().decode(encoding)


TEXT = "".join(f"line{n}()\n" for n in range(1, 31))


def test_lines_around_suspicious_ones_are_shown_and_the_rest_is_folded() -> None:
    shown = show(render_heatmap({"m.py": TEXT}, [suspect("m.py", 10, 11, 0.5)], context=1))
    assert shown.splitlines() == [
        "m.py",
        "       ⋯ 8 lines",
        "        9 │ line9()",
        "0.50 ▅ 10 │ line10()",
        "0.50 ▅ 11 │ line11()",
        "       12 │ line12()",
        "       ⋯ 18 lines",
    ]


def test_files_come_by_their_hottest_line_and_only_the_top_is_mapped() -> None:
    ranking = [suspect("b.py", 2, 2, 1.0), suspect("a.py", 3, 3, 0.9), suspect("c.py", 1, 1, 0.1)]
    sources = dict.fromkeys(["a.py", "b.py", "c.py"], TEXT)
    shown = show(render_heatmap(sources, ranking, top=2))
    assert shown.index("b.py") < shown.index("a.py")
    assert "c.py" not in shown
    assert "1.00 █  2" in shown or "1.00 █ 2" in shown


def test_a_line_of_several_locations_has_the_highest_value() -> None:
    ranking = [suspect("m.py", 2, 2, 0.9), suspect("m.py", 1, 3, 0.2)]
    shown = show(render_heatmap({"m.py": TEXT}, ranking, context=0))
    assert [line[:4] for line in shown.splitlines()[1:4]] == ["0.20", "0.90", "0.20"]


def test_colour_goes_from_pale_to_red_with_suspiciousness() -> None:
    ranking = [suspect("m.py", 1, 1, 1.0), suspect("m.py", 2, 2, 0.0), suspect("m.py", 3, 3, 0.5)]
    shown = show(render_heatmap({"m.py": TEXT}, ranking), colour=True)
    assert "48;2;226;70;52m" in shown  # the hottest background
    assert "48;2;240;153;106m" in shown  # half way


def test_locations_outside_of_the_sources_or_beyond_their_end_do_no_harm() -> None:
    ranking = [suspect("gone.py", 1, 1, 1.0), suspect("m.py", 2, 9, 1.0)]
    shown = show(render_heatmap({"m.py": "a\nb\n"}, ranking, context=0))
    assert shown.splitlines() == ["m.py", "       ⋯ 1 line", "1.00 █ 2 │ b"]


EVIL = "x = '\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\r[bold red]'\n"


@pytest.mark.parametrize("colour", [False, True])
def test_control_characters_of_source_and_path_never_reach_the_terminal(colour: bool) -> None:
    path = "e\x1b[31m\n.py"
    ranking = [suspect(path, 1, 1, 1.0)]
    heat = show(render_heatmap({path: EVIL}, ranking), colour=colour)
    table = show(render_table(ranking), colour=colour)
    for text in (heat, table):
        assert not set("\x07\x9b\u202e\r") & set(text)
        assert "\x1b]" not in text
        assert "\x1b[2J" not in text
        assert "\x1b[31m\n" not in text
    if not colour:
        assert "\x1b" not in heat + table
        assert r"'\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\x0d[b" in heat


def test_terminal_without_unicode_gets_ascii_only() -> None:
    sources = {"m.py": "é = '→'\n" + TEXT}
    shown = show(render_heatmap(sources, [suspect("m.py", 1, 1, 1.0)]), encoding="ascii")
    assert shown.splitlines()[1] == r"1.00 8 1 | \xe9 = '\u2192'"


def test_table_ranks_ties_alike_and_cuts_at_the_top() -> None:
    values = [0.9, 0.5, 0.5, 0.1]
    ranking = [suspect("m.py", n, n, value) for n, value in enumerate(values, 1)]
    rows = [line.split() for line in show(render_table(ranking, top=4)).splitlines()[1:]]
    assert [row[:3] for row in rows] == [
        ["1", "0.900", "m.py:1"],
        ["2", "0.500", "m.py:2"],
        ["2", "0.500", "m.py:3"],
        ["4", "0.100", "m.py:4"],
    ]
    assert len(show(render_table(ranking, top=1)).splitlines()) == 2


def test_empty_ranking_renders_nothing_but_the_heading() -> None:
    assert show(render_heatmap({"m.py": TEXT}, [])).strip() == ""
    assert len(show(render_table([])).splitlines()) == 1


@given(st.text(max_size=80))
def test_printable_text_is_one_line_of_visible_characters(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() or all(char.isprintable() or char.isspace() for char in shown)
    assert "\n" not in shown
    assert "\x1b" not in shown
