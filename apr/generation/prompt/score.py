"""Reads a judge's mark out of whatever a model says around it."""

from __future__ import annotations

import re

NEUTRAL = 0.5  # of a judge that says nothing
_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: value for value, word in enumerate(_UNITS)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, 2)}
_TEN, _UNIT = "|".join(_TENS), "|".join(_UNITS)
_WORDS = re.compile(
    rf"\b(?P<hundred>(?:a|one) hundred|hundred)\b"
    rf"|\b(?P<tens>{_TEN})(?:[- ](?P<rest>{_UNIT}))?\b|\b(?P<unit>{_UNIT})\b",
    re.IGNORECASE,
)
_SCALE = re.compile(
    r"(from|between)?\s*\b0\s*(\(\w+\)\s*)?(to|and|-|–)\s*(10{1,2}|5)\b", re.IGNORECASE
)
_NUMBER = r"(?P<number>-?\d+(?:\.\d+)?)"
_FRACTION = re.compile(rf"{_NUMBER}\s*(?:/|out of|of|von)\s*(?P<scale>100|10|5)\b", re.IGNORECASE)
_PERCENT = re.compile(rf"{_NUMBER}\s*(?:%|per ?cent)", re.IGNORECASE)
_LABELLED = re.compile(
    rf"\b(?:score|rating|rate|mark|grade|answer)\b[^\d\n-]{{0,25}}{_NUMBER}", re.IGNORECASE
)
_BARE = re.compile(_NUMBER)


def read_score(text: str) -> float:
    """A mark from 0 to 100 as a value in [0, 1]; neutral when there is none.

    A fraction of 5, 10 or 100 counts before a percentage, that before a number that is called a
    score, and that before the first number of all. Numbers may be words; those that only repeat
    the scale do not count. A number by itself is one of 100, as was asked for, unless it is a
    decimal fraction below one.
    """
    plain = _SCALE.sub(" ", _WORDS.sub(_digits, text))
    for pattern in (_FRACTION, _PERCENT, _LABELLED, _BARE):
        match = pattern.search(plain)
        if match is not None:
            scale = match.groupdict().get("scale") or "100"
            return _value(match["number"], float(scale), is_bare=pattern in (_LABELLED, _BARE))
    return NEUTRAL


def _value(number: str, scale: float, *, is_bare: bool) -> float:
    value = float(number)
    is_share = is_bare and "." in number and 0 <= value <= 1
    return min(max(value if is_share else value / scale, 0.0), 1.0)


def _digits(match: re.Match[str]) -> str:
    """The words of a number as digits."""
    if match["hundred"]:
        return "100"
    if match["tens"]:
        rest = _VALUES[match["rest"].lower()] if match["rest"] else 0
        return str(_VALUES[match["tens"].lower()] + rest)
    return str(_VALUES[match["unit"].lower()])
