"""The distance between patches, and the choice of different ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.patch import Hunk, Patch
from apr.core.ports import Proposal
from apr.search.diversity import distance, most_different, token_distance

WORDS = st.lists(st.sampled_from("abcd"), max_size=12)


def patch(text: str, line: int = 3) -> Patch:
    return Patch((Hunk("m.py", line, ("old\n",), (text + "\n",)),))


def proposals(*texts: str) -> list[Proposal]:
    return [Proposal(patch(text), 0.5, "model") for text in texts]


def texts(chosen: list[Proposal]) -> list[str]:
    return [proposal.patch.hunks[0].new[0].rstrip() for proposal in chosen]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", 0.0),
        ("a", "", 1.0),
        ("kitten", "sitting", 3 / 7),
        ("abc", "abc", 0.0),
        ("ab", "ba", 1.0),
        ("abcd", "abxd", 0.25),
    ],
)
def test_token_distance_matches_hand_computed_values(
    left: str, right: str, expected: float
) -> None:
    assert token_distance(left, right) == pytest.approx(expected)


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_metric(one: list[str], two: list[str], three: list[str]) -> None:
    def edits(left: list[str], right: list[str]) -> float:
        return token_distance(left, right) * max(len(left), len(right))

    assert edits(one, two) == pytest.approx(edits(two, one))
    assert (edits(one, two) == 0) == (one == two)
    assert edits(one, three) <= edits(one, two) + edits(two, three) + 1e-9


def test_patches_differ_by_tokens_and_places() -> None:
    # m.py:3 return x + 1 against m.py:3 return x - 1: one token of five
    assert distance(patch("return x + 1"), patch("return  x - 1")) == pytest.approx(1 / 5)
    assert distance(patch("return x + 1"), patch("return x + 1", line=9)) == pytest.approx(1 / 5)
    assert distance(patch("a"), patch("a")) == 0.0


def test_layout_alone_is_no_difference() -> None:
    assert distance(patch("return  x+1"), patch("return x + 1")) == 0.0


def test_the_first_proposal_is_taken_first_and_then_the_farthest() -> None:
    offered = proposals("return x + 1", "return x + 2", "raise Error(x)", "return x + 3")
    assert texts(most_different(offered, [], 2)) == ["return x + 1", "raise Error(x)"]
    assert texts(most_different(offered, [], 9)) == texts(offered)


def test_what_is_in_the_tree_already_counts() -> None:
    offered = proposals("return x + 1", "raise Error(x)")
    known = [patch("return x + 9")]
    assert texts(most_different(offered, known, 1)) == ["raise Error(x)"]


def test_of_equally_different_ones_the_earlier_is_taken() -> None:
    offered = proposals("a", "b", "c")
    assert texts(most_different(offered, [], 2)) == ["a", "b"]
