"""Code made faulty on the fly, to be restored: what a model learns before it sees real fixes.

Spans: T5's own objective (Raffel et al. 2020). Gaps: some lines are missing, and asked for in the
form of an insertion. Noise: some lines have tokens replaced, dropped, doubled or exchanged, or
should not be there, and are asked for in the form of a hunk to repair.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from apr.generation.seq2seq.format import AFTER, BEFORE, BUGGY, RETRIEVED
from apr.training.corpus import IDS, LANGUAGE_IDS, MASK_IDS, Array, Code, Ids

DENSITY, MEAN_SPAN = 0.15, 3.0
SHORTEST, LONGEST = 48, 440
"""Tokens of a piece of code."""
MOST_ANSWER = 120
SHARES = (0.34, 0.28, 0.38)
"""Of spans, gaps and noise."""

Pair = tuple[Array, Array]


def corrupted(code: Code, line_end: int, room: int, random: Generator) -> Pair | None:
    """A source of at most `room` tokens and its answer, both without END; None when unlucky."""
    piece, language = _piece(code, line_end, min(LONGEST, room - 8), random)
    if len(piece) < SHORTEST // 2:
        return None
    make: Callable[..., Pair | None] = (_spans, _gap, _noise)[random.choice(3, p=SHARES)]
    return make(piece, LANGUAGE_IDS[language], line_end, random)


def _piece(code: Code, line_end: int, most: int, random: Generator) -> tuple[Ids, int]:
    """Whole lines of one file, from a place chosen evenly among all tokens."""
    place = int(random.integers(len(code.tokens)))
    file = int(np.searchsorted(code.starts, place, side="right")) - 1
    start = max(place - int(random.integers(most)), int(code.starts[file]))
    length = int(random.integers(SHORTEST, most + 1)) if most > SHORTEST else most
    found = code.tokens[start : min(start + length, int(code.starts[file + 1]))]
    ends = np.flatnonzero(found == line_end)
    if len(ends) < 3:
        return found[:0], 0
    begin = 0 if start == code.starts[file] else int(ends[0]) + 1
    return found[begin : int(ends[-1]) + 1], int(code.languages[file])


def _spans(piece: Ids, language: int, line_end: int, random: Generator) -> Pair:
    masked = max(int(len(piece) * DENSITY), 1)
    count = min(max(round(masked / MEAN_SPAN), 1), len(MASK_IDS))
    sizes = _parts(masked, count, random)
    gaps = _parts(len(piece) - masked, count + 1, random)
    source: list[Array] = [np.array([language])]
    answer: list[Array] = []
    at = 0
    for number in range(count):
        source += [piece[at : at + gaps[number]], MASK_IDS[number : number + 1]]
        at += gaps[number]
        answer += [MASK_IDS[number : number + 1], piece[at : at + sizes[number]]]
        at += sizes[number]
    return np.concatenate([*source, piece[at:]]), np.concatenate(answer)


def _parts(total: int, count: int, random: Generator) -> list[int]:
    """`total` in `count` parts of random sizes."""
    cuts = np.sort(random.integers(0, total + 1, count - 1))
    return np.diff(np.concatenate(([0], cuts, [total]))).tolist()


def _gap(piece: Ids, language: int, line_end: int, random: Generator) -> Pair | None:
    first, last = _some_lines(piece, line_end, random)
    if not 0 < last - first <= MOST_ANSWER:
        return None
    return _hunk(piece, first, last, piece[:0], language), piece[first:last]


def _noise(piece: Ids, language: int, line_end: int, random: Generator) -> Pair | None:
    first, last = _some_lines(piece, line_end, random)
    lines = piece[first:last]
    if not 1 < len(lines) <= MOST_ANSWER:
        return None
    if random.random() < 0.08:  # lines of elsewhere that have to go
        again, end = _some_lines(piece, line_end, random)
        extra = piece[again:end]
        return _hunk(piece, first, first, extra, language), piece[:0]
    spoilt = lines
    for _ in range(int(random.geometric(0.6))):
        spoilt = _spoil(spoilt, piece, line_end, random)
    return _hunk(piece, first, last, spoilt, language), lines


def _spoil(lines: Ids, piece: Ids, line_end: int, random: Generator) -> Ids:
    """One small fault in some lines."""
    at = int(random.integers(max(len(lines) - 1, 1)))
    kind = random.random()
    if kind < 0.5:
        other = piece[int(random.integers(len(piece)))]
        if other == line_end or lines[at] == line_end:
            return lines
        return np.concatenate([lines[:at], [other], lines[at + 1 :]])
    if kind < 0.68:
        until = min(at + int(random.geometric(0.5)), len(lines) - 1)
        return np.concatenate([lines[:at], lines[until:]])
    if kind < 0.82:
        start = int(random.integers(len(piece)))
        extra = piece[start : start + int(random.geometric(0.5))]
        return np.concatenate([lines[:at], extra[extra != line_end], lines[at:]])
    other_at = int(random.integers(max(len(lines) - 1, 1)))
    spoilt = lines.copy()
    spoilt[[at, other_at]] = spoilt[[other_at, at]]
    return spoilt


def _some_lines(piece: Ids, line_end: int, random: Generator) -> tuple[int, int]:
    """From where to where one to four lines reach."""
    ends = np.flatnonzero(piece == line_end) + 1
    line = int(random.integers(len(ends)))
    last = min(line + int(random.geometric(0.7)) - 1, line + 3, len(ends) - 1)
    return (int(ends[line - 1]) if line else 0), int(ends[last])


def _hunk(piece: Ids, first: int, last: int, buggy: Ids, language: int) -> Array:
    """The input that asks for what is between `first` and `last`."""
    mark = [np.array([IDS[token]]) for token in (BEFORE, BUGGY, AFTER)]
    head = np.array([language, IDS[RETRIEVED]])
    return np.concatenate([head, mark[0], piece[:first], mark[1], buggy, mark[2], piece[last:]])
