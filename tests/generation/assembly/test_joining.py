"""Edits of several hunks in one patch, and edits that are the same in all of them."""

from __future__ import annotations

import pytest

from apr.core.location import Location
from apr.core.patch import Hunk, Patch
from apr.generation.assembly.candidates import Candidate, changed_lines
from apr.generation.assembly.joining import join_patches, same_everywhere


def edit(first: int, old: int, *new: str, path: str = "m.py") -> Patch:
    return Patch((Hunk(path, first, tuple(f"{n}\n" for n in range(first, first + old)), new),))


def test_edits_of_different_lines_are_one_patch() -> None:
    joined = join_patches([edit(5, 1, "b\n"), edit(2, 1, "a\n"), edit(1, 1, path="a.py")])
    assert joined is not None
    assert [(hunk.path, hunk.first) for hunk in joined.hunks] == [
        *(("a.py", 1), ("m.py", 2), ("m.py", 5))
    ]


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        (edit(2, 2), edit(3, 1), False),
        (edit(2, 2), edit(4, 1), True),
        (edit(4, 0, "x\n"), edit(4, 0, "y\n"), False),
        (edit(4, 0, "x\n"), edit(4, 1, "y\n"), True),
        (edit(2, 2), edit(3, 0, "x\n"), False),
        (edit(2, 2), edit(4, 0, "x\n"), True),
        (edit(2, 2), edit(2, 2, path="a.py"), True),
        (edit(2, 1), Patch(created=("new.py",)), False),
    ],
)
def test_edits_that_meet_are_no_patch(one: Patch, other: Patch, fits: bool) -> None:
    assert (join_patches([one, other]) is not None) is fits
    assert (join_patches([other, one]) is not None) is fits


def test_a_joined_patch_does_what_its_parts_do() -> None:
    base = {"m.py": "".join(f"{n}\n" for n in range(10))}
    parts = [
        Patch((Hunk("m.py", 9, ("8\n",), ()),)),
        Patch((Hunk("m.py", 2, ("1\n",), ("one\n", "uno\n")),)),
        Patch((Hunk("m.py", 2, (), ("before\n",)),)),
    ]
    joined = join_patches(parts)
    assert joined is not None
    expected = "0\nbefore\none\nuno\n" + "".join(f"{n}\n" for n in (2, 3, 4, 5, 6, 7, 9))
    assert joined.apply(base) == {"m.py": expected}


def test_the_new_form_of_a_hunk_shows_only_its_own_lines() -> None:
    base = {"m.py": "a\nb\nc\nd\n"}
    place = Location("m.py", 2, 3)
    patch = Patch((Hunk("m.py", 3, ("c\n",), ("C\n", "CC\n")),))
    assert changed_lines(patch, place, base) == ("b\n", "C\n", "CC\n")
    assert changed_lines(Patch(), place, base) == ("b\n", "c\n")
    assert changed_lines(Patch((Hunk("m.py", 4, (), ("x\n",)),)), place, base) == (
        *("b\n", "c\n", "x\n"),
    )
    assert changed_lines(Patch((Hunk("m.py", 4, ("d\n",), ()),)), place, base) is None
    assert changed_lines(Patch((Hunk("n.py", 2, ("b\n",), ()),)), place, base) is None


def candidate(hunk: int, number: int, text: str | None, score: float = 0.5) -> Candidate:
    words = None if text is None else tuple(text.split())
    return Candidate(hunk, number, Patch(), score, "", words, None)


def test_shared_edits_come_by_the_sum_of_their_ranks_and_then_by_their_best_score() -> None:
    left = [candidate(0, n, text) for n, text in enumerate(["a", "b", "c", "b", "d"])]
    right = [candidate(1, n, text, 0.9) for n, text in enumerate(["c", "x", None, "b"])]
    right += [candidate(1, 4, "a", 0.1)]
    found = same_everywhere([left, right], lambda each: each.text)
    assert [[each.number for each in pair] for pair in found] == [[2, 0], [1, 3], [0, 4]]
    assert same_everywhere([left, []], lambda each: each.text) == []
