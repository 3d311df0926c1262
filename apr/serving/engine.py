"""The engine: takes sequences in, keeps every slot busy, and tells what has been written.

It belongs to one thread. Each turn lets waiting sequences into free slots, starts one step of all
of them, and looks at what the step before has written while the device works.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from apr.serving.network import Decoder
from apr.serving.prefixes import Prefixes
from apr.serving.rows import Entry, Rows
from apr.serving.sampling import Needs
from apr.serving.sequence import Event, Finish, Sequence
from apr.serving.slots import SPAN_STEP, SlotCache, Window, round_up
from apr.serving.steps import Steps, StepShape
from apr.serving.weights.vocabulary import Vocabulary

Tensor = torch.Tensor
PREFILL_CHUNK = 512  # tokens; bounds the memory that reading a prompt takes
SPANS = (256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768)


@dataclass(frozen=True, slots=True)
class Launch:
    """A step under way: who sits in its rows, and what it will have written."""

    seats: tuple[tuple[int, Sequence], ...]
    written: Tensor
    is_ready: torch.cuda.Event | None

    def read(self) -> list[list[int]]:
        """Wait for the step; the tokens and the count of each row."""
        if self.is_ready is not None:
            self.is_ready.synchronize()
        rows: list[list[int]] = self.written.tolist()
        return rows


class Engine:
    """Continuous batching over the slots of one cache."""

    def __init__(self, decoder: Decoder, vocabulary: Vocabulary, slots: int, length: int) -> None:
        """`length`: the most tokens a sequence can have, its prompt included."""
        self.length = length
        self._ends = frozenset(vocabulary.ends)
        unnamed = decoder.shape.vocabulary - len(vocabulary.pieces)
        self._pieces = [*vocabulary.pieces, *[b""] * unnamed]
        self._decoder = decoder
        with torch.inference_mode():
            self._cache = SlotCache(decoder.shape, slots, length, decoder.device, decoder.dtype)
            self._rows = Rows(slots, decoder.shape.vocabulary, decoder.device)
            self._steps = Steps(decoder, self._cache, self._rows, vocabulary.ends, width=1)
        self._prefixes = Prefixes(slots, length)
        self._waiting: deque[Sequence] = deque()
        self._seats: dict[int, Sequence] = {}
        self._free = set(range(slots))
        self._resting: list[int] = []  # slots that the device still believes to be active
        self._pending: Launch | None = None
        self._is_pipelined = decoder.device.type == "cuda"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not (self._waiting or self._seats or self._pending)

    def submit(self, sequences: Iterable[Sequence]) -> None:
        """Write these as soon as slots are free, first come first served."""
        self._waiting.extend(sequences)

    def cancel(self, sequences: Iterable[Sequence]) -> None:
        """Stop writing these; no event comes for them."""
        unwanted = set(sequences)
        self._waiting = deque(one for one in self._waiting if one not in unwanted)
        for slot, sequence in list(self._seats.items()):
            if sequence in unwanted:
                sequence.finish = Finish.CANCELLED
                self._leave(slot)

    def run(self, sequences: Iterable[Sequence]) -> None:
        """Write all of these to their ends."""
        self.submit(sequences)
        while not self.is_idle:
            self.turn()

    @torch.inference_mode()
    def turn(self) -> list[Event]:
        """One step of everything; what came of an earlier one."""
        self._rest()
        self._close_ranks()
        self._admit()
        launch = self._launch() if self._seats else None
        if self._is_pipelined:
            launch, self._pending = self._pending, launch
        return [] if launch is None else self._settle(launch)

    def _rest(self) -> None:
        if self._resting:
            self._rows.end(self._resting)
            self._resting = []

    def _leave(self, slot: int) -> None:
        del self._seats[slot]
        self._free.add(slot)
        self._resting.append(slot)

    def _close_ranks(self) -> None:
        """Move the last rows to the front when the batch then fits a smaller shape."""
        waiting = min(len(self._waiting), len(self._free))
        wanted = self._row_bucket(len(self._seats) + waiting)
        while self._seats and max(self._seats) >= wanted:
            source, target = max(self._seats), min(self._free)
            sequence = self._seats.pop(source)
            held = len(sequence.prompt) + len(sequence.tokens) + 1
            self._cache.copy(source, [target], min(held, self._cache.places - 1))
            self._rows.move(source, target)
            self._prefixes.move(source, target)
            self._free.remove(target)
            self._free.add(source)
            self._seats[target] = sequence

    def _admit(self) -> None:
        """Give the free slots to those who have waited longest; equal prompts are read once."""
        while self._waiting and self._free:
            prompt = self._waiting[0].prompt
            group: list[Sequence] = []
            while (
                self._waiting and len(group) < len(self._free) and self._waiting[0].prompt == prompt
            ):
                group.append(self._waiting.popleft())
            slots = sorted(self._free)[: len(group)]
            self._free.difference_update(slots)
            cached = self._fill(prompt, slots)
            for slot, sequence in zip(slots, group, strict=True):
                sequence.cached_tokens = cached
                cached = len(prompt) - 1
                self._seats[slot] = sequence
            self._rows.begin([self._entry(*pair) for pair in zip(slots, group, strict=True)])

    def _entry(self, slot: int, sequence: Sequence) -> Entry:
        # The last token of the prompt is read by the first step, which needs no other case then.
        start = len(sequence.prompt) - 1
        return Entry(slot, sequence, start, start + sequence.sampling.max_tokens)

    def _fill(self, prompt: tuple[int, ...], slots: list[int]) -> int:
        """Bring all of a prompt but its last token into slots; how many were there already."""
        known = prompt[:-1]
        match = self._prefixes.longest(known)
        first, *others = slots
        if match.slot != first:
            self._cache.copy(match.slot, [first], match.tokens)
        for start in range(match.tokens, len(known), PREFILL_CHUNK):
            self._read(first, known[start : start + PREFILL_CHUNK], start)
        self._cache.copy(first, others, len(known))
        for slot in slots:
            self._prefixes.set(slot, known)
        return match.tokens

    def _read(self, slot: int, tokens: tuple[int, ...], start: int) -> None:
        """Prefill one piece of a prompt."""
        device = self._decoder.device
        positions = torch.arange(start, start + len(tokens), device=device)[None]
        span = min(round_up(start + len(tokens), SPAN_STEP), self._cache.places)
        window = Window(self._cache, slot, positions, positions, span)
        self._decoder.hidden(torch.tensor([tokens]).to(device), window)

    def _launch(self) -> Launch:
        rows = self._row_bucket(max(self._seats) + 1)
        # A step that is under way may make every row one token longer than is known here.
        longest = max(len(one.prompt) + len(one.tokens) for one in self._seats.values()) + 1
        needs = Needs.any(one.sampling.needs for one in self._seats.values())
        written = self._steps.run(StepShape(rows, 1, self._span(longest), needs))
        is_ready = None
        if self._is_pipelined:
            host = torch.empty(written.shape, dtype=written.dtype, pin_memory=True)
            host.copy_(written, non_blocking=True)
            is_ready = torch.cuda.Event()
            is_ready.record()
            written = host
        return Launch(tuple(self._seats.items()), written, is_ready)

    def _span(self, longest: int) -> int:
        if not self._is_pipelined:
            return min(round_up(longest, SPAN_STEP), self._cache.places)
        return next(
            (span for span in SPANS if longest <= span <= self._cache.places), self._cache.places
        )

    def _row_bucket(self, rows: int) -> int:
        """The next power of two where shapes are recorded, to have few of them."""
        if not self._is_pipelined:
            return rows
        return min(1 << max(0, rows - 1).bit_length(), self._cache.slots)

    def _settle(self, launch: Launch) -> list[Event]:
        """Hand each row's tokens to its sequence, and free the slots of those that ended."""
        written = launch.read()
        events = []
        slots = {sequence: slot for slot, sequence in self._seats.items()}
        for row, sequence in launch.seats:
            if sequence.finish is not None:
                continue
            *chosen, count = written[row]
            slot, last = slots[sequence], sequence.last
            event = self._append(sequence, chosen[:count])
            self._prefixes.extend(slot, [last, *chosen[: count - 1]])
            if event.finish is not None:
                self._leave(slot)
            if event.finish is not None or (sequence.is_streamed and event.text):
                events.append(event)
        return events

    def _append(self, sequence: Sequence, tokens: list[int]) -> Event:
        """Add tokens up to where the sequence ends."""
        for token in tokens:
            sequence.tokens.append(token)
            if token in self._ends or sequence.transcript.push(self._pieces[token]):
                sequence.finish = Finish.STOP
            elif len(sequence.tokens) >= sequence.sampling.max_tokens:
                sequence.finish = Finish.LENGTH
            if sequence.finish is not None:
                break
        text = ""
        if sequence.is_streamed or sequence.finish is not None:
            text = sequence.transcript.take(is_final=sequence.finish is not None)
        return Event(sequence, text, sequence.finish)
