"""Rankings of functions, and how a ranking is cut."""

from __future__ import annotations

import io

from rich.console import Console

from apr.cli.localize import rank_functions, render_ranking
from apr.core.location import Location, SuspiciousLocation


def suspect(path: str, line: int, value: float, function: str | None) -> SuspiciousLocation:
    return SuspiciousLocation(Location(path, line, line), value, "ochiai", function)


RANKING = (
    suspect("a.py", 12, 0.9, "Cart.total"),
    suspect("b.py", 3, 0.8, None),
    suspect("a.py", 10, 0.7, "Cart.total"),
    suspect("a.py", 30, 0.6, "main"),
    suspect("b.py", 1, 0.5, None),
)


def test_a_function_is_as_suspicious_as_its_worst_statement() -> None:
    ranked = rank_functions(RANKING)
    assert [(s.function, s.suspiciousness) for s in ranked] == [
        ("Cart.total", 0.9),
        (None, 0.8),
        ("main", 0.6),
    ]
    assert [str(s.location) for s in ranked] == ["a.py:10-12", "b.py:1-3", "a.py:30"]


def test_a_ranking_tells_how_much_of_it_is_not_shown() -> None:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(render_ranking(RANKING, 2))
        console.print(render_ranking(RANKING, 5))
    lines = capture.get().splitlines()
    assert lines[3].strip() == "+3 more"
    assert sum("more" in line for line in lines) == 1
