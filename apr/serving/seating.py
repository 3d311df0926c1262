"""Who sits in which slot: letting sequences in, reading their prompts once, closing gaps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch

from apr.serving.network import Decoder
from apr.serving.prefixes import Match, Prefixes
from apr.serving.rows import Entry, Rows
from apr.serving.sequence import Sequence
from apr.serving.slots import Passage, Passages, SlotCache, View

PREFILL_CHUNKS = {"cuda": 2048, "cpu": 512}  # tokens; bounds the memory that reading takes

WORTH_COPYING = 64  # tokens; a prompt that shares less, and less than half, is read from its start


@dataclass(frozen=True, slots=True)
class Unread:
    """Tokens that belong at the beginning of some slots and are not there yet."""

    tokens: tuple[int, ...]
    slots: list[int]


class Seating:
    """The slots of a cache and the sequences in them."""

    def __init__(self, decoder: Decoder, cache: SlotCache, rows: Rows) -> None:
        self.seats: dict[int, Sequence] = {}
        self._decoder = decoder
        self._cache = cache
        self._rows = rows
        self._prefixes = Prefixes(cache.slots, cache.length)
        self._free = set(range(cache.slots))
        self._unread: list[Unread] = []
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
        self._read_unread()
        return admitted

    def _first_group(self, waiting: deque[Sequence]) -> list[Sequence]:
        """The first of those who wait, and those of the same prompt right behind it."""
        group = [waiting.popleft()]
        while waiting and len(group) < len(self._free) and waiting[0].prompt == group[0].prompt:
            group.append(waiting.popleft())
        return group

    def _fill(self, prompt: tuple[int, ...], slots: list[int]) -> int:
        """Bring all of a prompt but its last token into slots; how many were there already.

        What begins at the beginning may wait, to be read together with others: see `_read_unread`.
        """
        known = prompt[:-1]
        match = self._prefixes.longest(known)
        if match.tokens < WORTH_COPYING and 2 * match.tokens < len(known):
            match = Match(slots[0], 0)
        chunk = PREFILL_CHUNKS[self._decoder.device.type]
        waiting = sum(len(text.tokens) for text in self._unread)
        is_held = any(match.slot in text.slots for text in self._unread)
        if (match.tokens and is_held) or waiting + len(known) > chunk:
            self._read_unread()
        if match.tokens or len(known) > chunk:
            self._read_alone(known, match, slots)
        elif known:
            self._unread.append(Unread(known, slots))
        for slot in slots:
            self._prefixes.set(slot, known)
        return match.tokens

    def _read_alone(self, known: tuple[int, ...], match: Match, slots: list[int]) -> None:
        """Read what is not there yet, in pieces, and copy all of it where it is needed as well."""
        first, *others = slots
        if match.slot != first:
            self._cache.copy(match.slot, [first], match.tokens)
        chunk = PREFILL_CHUNKS[self._decoder.device.type]
        for start in range(match.tokens, len(known), chunk):
            piece = known[start : start + chunk]
            self._read(piece, Passage(self._cache, first, start, len(piece)))
        self._cache.copy(first, others, len(known))

    def _read_unread(self) -> None:
        """Prefill the prompts that wait for it, in one pass."""
        unread, self._unread = self._unread, []
        if not unread:
            return
        pieces = [(text.slots[0], len(text.tokens)) for text in unread]
        tokens = tuple(token for text in unread for token in text.tokens)
        self._read(tokens, Passages(self._cache, pieces))
        for text in unread:
            self._cache.copy(text.slots[0], text.slots[1:], len(text.tokens))

    def _read(self, tokens: tuple[int, ...], view: View) -> None:
        self._decoder.hidden(torch.tensor([tokens]).to(self._decoder.device), view)


def _entry(slot: int, sequence: Sequence) -> Entry:
    # The last token of the prompt is read by the first step, which needs no other case then.
    start = len(sequence.prompt) - 1
    return Entry(slot, sequence, start, start + sequence.sampling.max_tokens)
