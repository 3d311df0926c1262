"""Marks as judges write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.generation.prompt.score import NEUTRAL, read_score

MARKS = {
    "85": 0.85,
    "85.": 0.85,
    "**85**": 0.85,
    "85/100": 0.85,
    "85 / 100": 0.85,
    "85%": 0.85,
    "Score: 7": 0.07,
    "Score: 7/10": 0.7,
    "Score: 0/100": 0.0,
    "score = 40": 0.4,
    "The score is 40, since 2 of 3 tests pass.": 0.4,
    "2 of 3 tests pass. Score: 40": 0.4,
    "I would rate this 4 out of 5.": 0.8,
    "7.5/10": 0.75,
    "0.85": 0.85,
    "Score: 0.3": 0.3,
    "1.0": 1.0,
    "On a scale from 0 to 100, I would say 70.": 0.7,
    "0-100: 30": 0.3,
    "between 0 and 100: 55": 0.55,
    "0 (useless) to 100: 20": 0.2,
    "Perhaps 70 of 100.": 0.7,
    "eighty-five": 0.85,
    "Eighty five out of one hundred": 0.85,
    "seven out of ten": 0.7,
    "One hundred": 1.0,
    "zero": 0.0,
    "nineteen": 0.19,
    "999": 1.0,
    "-5": 0.0,
    "85\n\nThe patch swaps 2 arguments.": 0.85,
    "": NEUTRAL,
    "none": NEUTRAL,
    "It is certainly correct.": NEUTRAL,
    "```\n60\n```": 0.6,
}


@pytest.mark.parametrize(("text", "mark"), MARKS.items())
def test_a_mark_is_read_in_whatever_form(text: str, mark: float) -> None:
    assert read_score(text) == pytest.approx(mark)


@given(st.text() | st.lists(st.sampled_from(list(MARKS)), max_size=4).map(" ".join))
def test_a_mark_is_always_between_zero_and_one(text: str) -> None:
    assert 0.0 <= read_score(text) <= 1.0


@given(st.integers(0, 100), st.sampled_from(["{}", "Score: {}", "{}/100", "I say {}.", "{} %"]))
def test_every_whole_mark_survives(mark: int, form: str) -> None:
    assert read_score(form.format(mark)) == pytest.approx(mark / 100)
