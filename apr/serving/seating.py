"""Who sits in which slot: letting sequences in, reading their prompts once, closing gaps."""

from __future__ import annotations

from collections import deque

import torch

from apr.serving.network import Decoder
from apr.serving.prefixes import Prefixes
from apr.serving.rows import Entry, Rows
from apr.serving.sequence import Sequence
from apr.serving.slots import Passage, SlotCache

PREFILL_CHUNKS = {"cuda": 2048, "cpu": 512}  # tokens; bounds the memory that reading takes


class Seating:
    """The slots of a cache and the sequences in them."""

    def __init__(self, decoder: Decoder, cache: SlotCache, rows: Rows) -> None:
        self.seats: dict[int, Sequence] = {}
        self._decoder = decoder
        self._cache = cache
        self._rows = rows
        self._prefixes = Prefixes(cache.slots, cache.length)
        self._free = set(range(cache.slots))
        self._resting: list[int] = []  # slots that the device still believes to be active

    @property
    def free(self) -> int:
        """How many slots nobody sits in."""
        return len(self._free)

    def extend(self, slot: int, tokens: list[int]) -> None:
        """The cache holds these tokens of the sequence in `slot` as well."""
        self._prefixes.extend(slot, tokens)

    def leave(self, slot: int) -> None:
        """The sequence in `slot` has ended; what the cache holds of it can still be copied."""
        del self.seats[slot]
        self._free.add(slot)
        self._resting.append(slot)

    def rest(self) -> None:
        """Tell the device who has left."""
        if self._resting:
            self._rows.end(self._resting)
            self._resting = []

    def close_ranks(self, rows: int) -> None:
        """Move the last rows to the front, so that all fit into `rows`."""
        while self.seats and max(self.seats) >= rows:
            source, target = max(self.seats), min(self._free)
            sequence = self.seats.pop(source)
            # A step under way may have added what is not known here.
            held = len(sequence.prompt) + len(sequence.tokens) + 1
            self._cache.copy(source, [target], min(held, self._cache.length))
            self._rows.move(source, target)
            self._prefixes.move(source, target)
            self._free.remove(target)
            self._free.add(source)
            self.seats[target] = sequence

    def admit(self, waiting: deque[Sequence]) -> list[Sequence]:
        """Give the free slots to those who have waited longest; equal prompts are read once."""
        admitted = []
        while waiting and self._free:
            group = self._first_group(waiting)
            slots = sorted(self._free)[: len(group)]
            self._free.difference_update(slots)
            cached = self._fill(group[0].prompt, slots)
            for slot, sequence in zip(slots, group, strict=True):
                sequence.cached_tokens, cached = cached, len(sequence.prompt) - 1
                self.seats[slot] = sequence
            self._rows.begin([_entry(*pair) for pair in zip(slots, group, strict=True)])
            admitted += group
        return admitted

    def _first_group(self, waiting: deque[Sequence]) -> list[Sequence]:
        """The first of those who wait, and those of the same prompt right behind it."""
        group = [waiting.popleft()]
        while waiting and len(group) < len(self._free) and waiting[0].prompt == group[0].prompt:
            group.append(waiting.popleft())
        return group

    def _fill(self, prompt: tuple[int, ...], slots: list[int]) -> int:
        """Bring all of a prompt but its last token into slots; how many were there already."""
        known = prompt[:-1]
        match = self._prefixes.longest(known)
        first, *others = slots
        if match.slot != first:
            self._cache.copy(match.slot, [first], match.tokens)
        chunk = PREFILL_CHUNKS[self._decoder.device.type]
        for start in range(match.tokens, len(known), chunk):
            self._read(first, known[start : start + chunk], start)
        self._cache.copy(first, others, len(known))
        for slot in slots:
            self._prefixes.set(slot, known)
        return match.tokens

    def _read(self, slot: int, tokens: tuple[int, ...], start: int) -> None:
        """Prefill one piece of a prompt."""
        passage = Passage(self._cache, slot, start, len(tokens))
        self._decoder.hidden(torch.tensor([tokens]).to(self._decoder.device), passage)


def _entry(slot: int, sequence: Sequence) -> Entry:
    # The last token of the prompt is read by the first step, which needs no other case then.
    start = len(sequence.prompt) - 1
    return Entry(slot, sequence, start, start + sequence.sampling.max_tokens)
