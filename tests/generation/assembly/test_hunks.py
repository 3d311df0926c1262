"""Which lines are one hunk."""

from __future__ import annotations

from apr.core.location import Location, SuspiciousLocation
from apr.generation.assembly.hunks import LONGEST, find_hunks

CODE = """def f(a, b):
    x = g(
        a,
    )

    y = 2
    z = 3
    # about w
    w = 4
    return x
"""
SOURCES = {"m.py": CODE, "long.py": "".join(f"x{n} = {n}\n" for n in range(2 * LONGEST))}


def hunks(
    *lines: tuple[int, int], path: str = "m.py", formula: str = "given", most: int = 9
) -> list[tuple[int, int]]:
    locations = [
        SuspiciousLocation(Location(path, first, last), 1.0 - n / 100, formula)
        for n, (first, last) in enumerate(lines)
    ]
    found = find_hunks(locations, SOURCES, most)
    return [(hunk.location.first, hunk.location.last) for hunk in found]


def test_given_lines_that_follow_each_other_are_one_hunk() -> None:
    assert hunks((6, 6), (7, 7)) == [(6, 7)]
    assert hunks((9, 9), (2, 4)) == [(2, 4), (9, 9)]
    assert hunks((7, 7), (9, 9)) == [(7, 7), (9, 9)]
    assert hunks((2, 4), (6, 6)) == [(2, 6)]


def test_a_hunk_is_widened_to_whole_statements() -> None:
    assert hunks((3, 3)) == [(2, 4)]


def test_measured_statements_are_hunks_by_themselves_and_only_the_best_are_taken() -> None:
    assert hunks((7, 7), (6, 6), (2, 4), formula="ochiai", most=2) == [(6, 6), (7, 7)]


def test_a_long_run_is_no_hunk() -> None:
    lines = [(n, n) for n in range(1, LONGEST + 2)]
    assert hunks(*lines, path="long.py", most=99) == lines
    assert hunks(*lines[1:], path="long.py") == [(2, LONGEST + 1)]


def test_lines_of_files_that_are_not_there_are_left_out() -> None:
    assert hunks((1, 1), path="gone.py") == []
