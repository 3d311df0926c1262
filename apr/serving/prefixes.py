"""Which tokens the cache holds in each slot, so that a prompt need not be read twice."""

from __future__ import annotations

from collections.abc import Sequence as Listing
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Match:
    """A slot whose first `tokens` are those of a prompt."""

    slot: int
    tokens: int


class Prefixes:
    """The host's copy of what the slots hold; a slot keeps its tokens until it is used again."""

    def __init__(self, slots: int, length: int) -> None:
        self._held = np.full((slots, length + 1), -1, dtype=np.int32)
        self._lengths = np.zeros(slots, dtype=np.int64)

    def set(self, slot: int, tokens: Listing[int]) -> None:
        """The slot holds these and no others."""
        self._held[slot, : len(tokens)] = tokens
        self._held[slot, len(tokens) :] = -1
        self._lengths[slot] = len(tokens)

    def extend(self, slot: int, tokens: Listing[int]) -> None:
        """The slot holds these as well."""
        start = self._lengths[slot]
        self._held[slot, start : start + len(tokens)] = tokens
        self._lengths[slot] = start + len(tokens)

    def move(self, source: int, target: int) -> None:
        """`target` holds what `source` held."""
        self._held[target] = self._held[source]
        self._lengths[target] = self._lengths[source]

    def longest(self, prompt: Listing[int]) -> Match:
        """The slot that shares most of the beginning of `prompt`."""
        if not prompt:
            return Match(0, 0)
        wanted = np.asarray(prompt, dtype=np.int32)
        same = self._held[:, : len(wanted)] == wanted
        shared = np.where(same.all(axis=1), len(wanted), same.argmin(axis=1))
        slot = int(shared.argmax())
        return Match(slot, int(shared[slot]))
