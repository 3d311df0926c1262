"""Texts changed by characters and by words: what programs read in a text is seldom one letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

TEXTS = ("", " ", "a", "A", "aa", "ab", "aB1", "0", "-1", "a b", "é", "\n", "()", ",")
LONGEST = 400
_WORD = re.compile(r"[^\W\d_]+|\d+|\s+|.", re.DOTALL)


def edit_text(value: str, known: Sequence[str], others: Sequence[str], rng: Random) -> str:
    """The text after a few changes; `known` are literals of the code, `others` observed texts."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        by_words = value and rng.random() < 0.4
        value = (
            _edit_words(value, [*known, *others], rng)
            if by_words
            else _edit_letters(value, known, rng)
        )
    return value[:LONGEST]


def _edit_letters(value: str, known: Sequence[str], rng: Random) -> str:
    at = rng.randint(0, len(value))
    piece = rng.choice((*TEXTS, *known, *known, value[:1], value[-1:]))
    forms = (
        piece,
        value[:at] + piece + value[at:],
        value[:at] + piece + value[at + 1 :],
        value[:at] + value[at + 1 :],
        value.swapcase(),
        value[::-1],
        value * 2,
        value + piece,
        piece + value,
    )
    return rng.choice(forms)


def _edit_words(value: str, sources: Sequence[str], rng: Random) -> str:
    """Words, numbers and marks dropped, doubled, swapped, or replaced by those of other texts."""
    words = _WORD.findall(value)
    at = rng.randrange(len(words))
    word = words[at]
    other = _WORD.findall(rng.choice(sources) if sources else value) or [" "]
    forms: tuple[list[str], ...] = (
        [],
        [word, word],
        [rng.choice(other)],
        [word, rng.choice((rng.choice(other), _number(rng)))],
        [rng.choice((word.upper(), word.lower(), word.capitalize(), word[:1], word[1:]))],
        [_number(rng) if word.isdecimal() else rng.choice(words)],
    )
    choice = rng.randrange(len(forms) + 1)
    if choice < len(forms):
        return "".join([*words[:at], *forms[choice], *words[at + 1 :]])
    return "".join(words[:at] + other[rng.randrange(len(other)) :])


def _number(rng: Random) -> str:
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 5)))
