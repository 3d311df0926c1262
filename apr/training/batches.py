"""Batches in which several examples share a row. Batch number n is a function of seed and n.

So training that was interrupted goes on with exactly the batches it would have had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import default_rng

from apr.generation.seq2seq.format import END, START
from apr.training.corpus import IDS, ORIGINS, Array, Code, Fixes
from apr.training.corruption import Pair, corrupted

OPEN_ROWS = 128
"""Rows that wait for a fitting example; more would fill them better and take longer."""


@dataclass(frozen=True, slots=True)
class Room:
    """The size of a batch: rows, and tokens of a row on either side."""

    rows: int = 64
    source: int = 1024
    target: int = 256


class Batches(Protocol):
    """A source of batches without end."""

    def batch(self, number: int) -> dict[str, Array]:
        """Number `number` from 0; see `pack` for what is in it."""
        ...


@dataclass(frozen=True, slots=True)
class Corrupted:
    """Code to be restored."""

    code: Code
    line_end: int
    room: Room
    seed: int

    def batch(self, number: int) -> dict[str, Array]:
        random = default_rng([self.seed, 1, number])
        rows: list[list[Pair]] = []
        for _ in range(self.room.rows):
            row: list[Pair] = []
            source, target, misses = self.room.source, self.room.target, 0
            while source > 64 and misses < 4:
                pair = corrupted(self.code, self.line_end, source - 1, random)
                if pair is None or len(pair[0]) >= source or len(pair[1]) >= target:
                    misses += 1
                    continue
                row.append(pair)
                source -= len(pair[0]) + 1
                target -= len(pair[1]) + 1
            rows.append(row)
        return pack(rows, self.room)


class Repairs:
    """Fixes, all of them once an epoch; the mined ones `weight` times."""

    def __init__(self, fixes: Fixes, room: Room, seed: int, weight: int = 1) -> None:
        self._fixes, self._room, self._seed = fixes, room, seed
        self._rows = plan_rows(fixes, room, seed, weight)
        self.length = max(len(self._rows) // room.rows, 1)

    def batch(self, number: int) -> dict[str, Array]:
        epoch, place = divmod(number, self.length)
        order = default_rng([self._seed, 2, epoch]).permutation(len(self._rows))
        chosen = order[place * self._room.rows : (place + 1) * self._room.rows]
        rows = [[self._fixes.pair(example) for example in self._rows[row]] for row in chosen]
        return pack(rows, self._room)


def plan_rows(fixes: Fixes, room: Room, seed: int, weight: int) -> list[list[int]]:
    """Which examples share a row: first fit among rows that are still open."""
    mined = np.flatnonzero(fixes.facts[:, 1] == ORIGINS.index("mined"))
    numbers = np.concatenate([np.arange(len(fixes)), *[mined] * (weight - 1)])
    need = fixes.lengths.astype(np.int64) + 1
    numbers = numbers[(need[numbers] <= [room.source, room.target]).all(axis=1)]
    left = np.tile(np.array([room.source, room.target]), (OPEN_ROWS, 1))
    is_open: list[list[int]] = [[] for _ in range(OPEN_ROWS)]
    closed: list[list[int]] = []
    for number in default_rng([seed, 3]).permutation(numbers).tolist():
        fits = (left >= need[number]).all(axis=1)
        row = int(fits.argmax())
        if not fits[row]:
            row = int(left[:, 0].argmin())
            closed.append(is_open[row])
            is_open[row], left[row] = [], (room.source, room.target)
        is_open[row].append(number)
        left[row] -= need[number]
    return closed + [row for row in is_open if row]


def pack(rows: Sequence[Iterable[Pair]], room: Room) -> dict[str, Array]:
    """Token ids `[rows, length]`: `source`, `inputs` and `labels`, and the numbers of the examples.

    In `source_segments` and `target_segments` examples count from 1 in each row; 0 is padding.
    """
    source = np.zeros((room.rows, room.source), dtype=np.int32)
    inputs, labels = (np.zeros((room.rows, room.target), dtype=np.int32) for _ in range(2))
    source_segments = np.zeros(source.shape, dtype=np.uint8)
    target_segments = np.zeros(inputs.shape, dtype=np.uint8)
    for number, row in enumerate(rows):
        at = to = 0
        for segment, (asked, answer) in enumerate(row, 1):
            end, until = at + len(asked), to + len(answer)
            source[number, at:end], source[number, end] = asked, IDS[END]
            inputs[number, to], inputs[number, to + 1 : until + 1] = IDS[START], answer
            labels[number, to:until], labels[number, until] = answer, IDS[END]
            source_segments[number, at : end + 1] = segment
            target_segments[number, to : until + 1] = segment
            at, to = end + 1, until + 1
    return {
        "source": source,
        "inputs": inputs,
        "labels": labels,
        "source_segments": source_segments,
        "target_segments": target_segments,
    }
