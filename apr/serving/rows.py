"""What the device knows of each slot's sequence, so that a step needs nothing from the host."""

from __future__ import annotations

from collections.abc import Sequence as Listing
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from apr.serving.sampling import Rules
from apr.serving.sequence import Sampling, Sequence


class Whole(IntEnum):
    """The integers of a row; LENGTH counts the tokens in the cache, TOKEN is the one after them."""

    TOKEN = 0
    LENGTH = 1
    LIMIT = 2  # the length at which the sequence ends
    ACTIVE = 3
    SEED = 4


class Real(IntEnum):
    """The other numbers of a row; SCALE is one over the temperature."""

    SCALE = 0
    HEAT = 1
    TOP_P = 2
    PRESENCE = 3
    FREQUENCY = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A sequence that begins in a slot, with `length` tokens of it in the cache already."""

    slot: int
    sequence: Sequence
    length: int
    limit: int


class Rows:
    """The state of all slots; steps change it in place."""

    def __init__(self, slots: int, vocabulary: int, device: torch.device) -> None:
        self._device = device
        self._vocabulary = vocabulary
        self.wholes = torch.zeros((len(Whole), slots), device=device, dtype=torch.int64)
        self.reals = torch.zeros((len(Real), slots), device=device, dtype=torch.float32)
        self.reals[Real.SCALE] = 1
        self.reals[Real.TOP_P] = 1
        self.used: Tensor | None = None

    def rules(self, rows: int) -> Rules:
        """How the first `rows` slots choose their tokens."""
        reals = self.reals[:, :rows]
        used = None if self.used is None else self.used[:rows]
        return Rules(
            seeds=self.wholes[Whole.SEED, :rows],
            scale=reals[Real.SCALE],
            heat=reals[Real.HEAT],
            top_p=reals[Real.TOP_P],
            presence=reals[Real.PRESENCE],
            frequency=reals[Real.FREQUENCY],
            used=used,
        )

    def begin(self, entries: Listing[Entry]) -> None:
        """Let sequences start in their slots."""
        ids = self._ids([entry.slot for entry in entries])
        wholes = torch.tensor([_wholes(entry) for entry in entries], dtype=torch.int64).T
        reals = torch.tensor([_reals(entry.sequence.sampling) for entry in entries]).T
        self.wholes[:, ids] = wholes.to(self._device)
        self.reals[:, ids] = reals.to(self._device)
        if any(entry.sequence.sampling.needs.penalties for entry in entries):
            self.count_tokens()
        if self.used is not None:
            self.used[ids] = 0

    def count_tokens(self) -> None:
        """Begin to keep how often each sequence has used each token."""
        if self.used is None:
            sizes = (self.wholes.shape[1], self._vocabulary)
            self.used = torch.zeros(sizes, device=self._device, dtype=torch.int32)

    def end(self, slots: Listing[int]) -> None:
        """Let the sequences in `slots` rest."""
        self.wholes[Whole.ACTIVE, self._ids(slots)] = 0

    def move(self, source: int, target: int) -> None:
        """Let `target` go on with what `source` was doing."""
        for state in (self.wholes, self.reals):
            state[:, target] = state[:, source]
        if self.used is not None:
            self.used[target] = self.used[source]
        self.wholes[Whole.ACTIVE, source] = 0

    def _ids(self, slots: Listing[int]) -> Tensor:
        return torch.tensor(list(slots), dtype=torch.int64).to(self._device)


def _wholes(entry: Entry) -> tuple[int, ...]:
    seed = entry.sequence.sampling.seed
    return entry.sequence.prompt[entry.length], entry.length, entry.limit, 1, seed


def _reals(sampling: Sampling) -> tuple[float, ...]:
    greedy = sampling.is_greedy
    return (
        1.0 if greedy else 1.0 / sampling.temperature,
        0.0 if greedy else 1.0,
        1.0 if greedy else sampling.top_p,
        sampling.presence_penalty,
        sampling.frequency_penalty,
    )
