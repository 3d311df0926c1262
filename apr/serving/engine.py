"""The engine: takes sequences in, keeps every slot busy, and tells what has been written.

It belongs to one thread. Each turn lets waiting sequences into free slots and starts one step of
all of them. A GPU works on the next step while the host reads the last one, unless guesses are
worth more than that: they need to know where the text stands.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from collections.abc import Sequence as Listing
from dataclasses import dataclass

import torch
from torch import Tensor

from apr.serving.drafts.desk import Drafts, Plan
from apr.serving.network import Decoder
from apr.serving.rows import Rows
from apr.serving.sampling import Needs
from apr.serving.seating import Seating
from apr.serving.sequence import Event, Finish, Odds, Sequence
from apr.serving.slots import SPAN_STEP, SlotCache, round_up
from apr.serving.steps import Steps, StepShape, Written
from apr.serving.weights.vocabulary import Vocabulary

NO_DRAFTS = Plan(1, {})


@dataclass(slots=True)
class Tally:
    """What an engine has done since it began, and how many wait and sit right now."""

    slots: int
    taken: int = 0
    waiting: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0
    drafted: int = 0
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class Launch:
    """A step under way: who sits in its rows, what was guessed, and what it will have written."""

    seats: tuple[tuple[int, Sequence], ...]
    plan: Plan
    shape: StepShape
    written: Written
    is_ready: torch.cuda.Event | None
    is_typical: bool  # whether the time it takes says something of its shape

    def read(self) -> tuple[list[list[int]], Listing[list[list[float]]]]:
        """Wait for the step; the tokens and the count of each row, and the odds of each place."""
        if self.is_ready is not None:
            self.is_ready.synchronize()
        rows: list[list[int]] = self.written.tokens.tolist()
        odds = self.written.odds
        return rows, [[]] * len(rows) if odds is None else odds.tolist()


class Engine:
    """Continuous batching over the slots of one cache, with or without drafts."""

    def __init__(
        self,
        decoder: Decoder,
        vocabulary: Vocabulary,
        slots: int,
        length: int,
        drafts: Drafts | None = None,
        *,
        is_pipelined: bool | None = None,
    ) -> None:
        """`length`: the most tokens a sequence can have, its prompt included.

        `is_pipelined`: whether a step may begin before the last one is read, in shapes of which
        there are few; None: on a GPU.
        """
        self.length = length
        self.tally = Tally(slots)
        self._ends = frozenset(vocabulary.ends)
        self._spans = decoder.operations.spans
        unnamed = decoder.shape.vocabulary - len(vocabulary.pieces)
        self._pieces = [*vocabulary.pieces, *[b""] * unnamed]
        widest = 1 if drafts is None else drafts.widest
        with torch.inference_mode():
            self._cache = SlotCache(decoder.shape, slots, length, decoder.device, decoder.dtype)
            self._rows = Rows(slots, decoder.shape.vocabulary, decoder.device)
            self._steps = Steps(decoder, self._cache, self._rows, vocabulary.ends, widest)
        self._seating = Seating(decoder, self._cache, self._rows)
        self._drafts = drafts
        self._waiting: deque[Sequence] = deque()
        self._pending: Launch | None = None
        self._settled_at = 0.0
        on_gpu = decoder.device.type == "cuda"
        self._is_pipelined = on_gpu if is_pipelined is None else is_pipelined

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not (self._waiting or self._seating.seats or self._pending)

    def submit(self, sequences: Iterable[Sequence]) -> None:
        """Write these as soon as slots are free, first come first served."""
        self._waiting.extend(sequences)

    def cancel(self, sequences: Iterable[Sequence]) -> None:
        """Stop writing these; no event comes for them."""
        unwanted = set(sequences)
        self._waiting = deque(one for one in self._waiting if one not in unwanted)
        for sequence in unwanted:
            sequence.finish = sequence.finish or Finish.CANCELLED
        for slot, sequence in list(self._seating.seats.items()):
            if sequence in unwanted:
                self._leave(slot, sequence)

    def run(self, sequences: Iterable[Sequence]) -> None:
        """Write all of these to their ends."""
        self.submit(sequences)
        while not self.is_idle:
            self.turn()

    @torch.inference_mode()
    def turn(self) -> list[Event]:
        """One step of everything; what came of it, or of the one before."""
        events = []
        if self._pending is None and not self._seating.seats:
            self._settled_at = time.perf_counter()
        if self._pending is not None and self._is_promising():
            events += self._settle_pending()
        self._seating.rest()
        seated = len(self._seating.seats)
        self._seating.close_ranks(
            self._row_bucket(seated + min(len(self._waiting), self._seating.free))
        )
        admitted = self._admit()
        launch = self._launch(not admitted) if self._seating.seats else None
        events += self._settle_pending()
        self._pending = launch
        if not self._is_pipelined:
            events += self._settle_pending()
        return events

    def _admit(self) -> list[Sequence]:
        admitted = self._seating.admit(self._waiting)
        for sequence in admitted:
            self.tally.prompt_tokens += len(sequence.prompt)
            self.tally.cached_tokens += sequence.cached_tokens
            if self._drafts is not None:
                self._drafts.begin(sequence)
        self.tally.waiting, self.tally.taken = len(self._waiting), len(self._seating.seats)
        return admitted

    def _is_promising(self) -> bool:
        seats = self._seating.seats
        if self._drafts is None or not seats:
            return False
        return self._drafts.is_promising(self._row_bucket(max(seats) + 1), seats.values())

    def _leave(self, slot: int, sequence: Sequence) -> None:
        self._seating.leave(slot)
        if self._drafts is not None:
            self._drafts.end(sequence)

    def _launch(self, is_typical: bool) -> Launch:
        seats = self._seating.seats
        rows = self._row_bucket(max(seats) + 1)
        # While a step is under way, nobody knows here where the texts stand.
        knows = self._drafts is not None and self._pending is None
        plan = self._drafts.plan(rows, seats) if self._drafts is not None and knows else NO_DRAFTS
        if plan.width > 1:
            self._steps.try_drafts(rows, plan.guesses)
        longest = max(len(one.prompt) + len(one.tokens) for one in seats.values()) + plan.width
        needs = Needs.any(one.sampling.needs for one in seats.values())
        shape = StepShape(rows, plan.width, self._span(longest), needs)
        recorded = self._steps.recorded
        written = self._steps.run(shape)
        is_typical = is_typical and recorded == self._steps.recorded
        is_ready = None
        if written.tokens.is_cuda:
            written, is_ready = _fetch(written)
        return Launch(tuple(seats.items()), plan, shape, written, is_ready, is_typical)

    def _span(self, longest: int) -> int:
        if not self._is_pipelined:
            return min(round_up(longest, SPAN_STEP), self._cache.places)
        fitting = (span for span in self._spans if longest <= span <= self._cache.places)
        return next(fitting, self._cache.places)

    def _row_bucket(self, rows: int) -> int:
        """The next power of two where shapes are recorded, to have few of them."""
        if not self._is_pipelined:
            return rows
        return min(1 << max(0, rows - 1).bit_length(), self._cache.slots)

    def _settle_pending(self) -> list[Event]:
        launch, self._pending = self._pending, None
        return [] if launch is None else self._settle(launch)

    def _settle(self, launch: Launch) -> list[Event]:
        """Hand each row's tokens to its sequence, and free the slots of those that ended."""
        written, odds = launch.read()
        self._measure(launch)
        events = []
        slots = {sequence: slot for slot, sequence in self._seating.seats.items()}
        for row, sequence in launch.seats:
            if sequence.finish is not None:
                continue
            *chosen, count = written[row]
            slot, last = slots[sequence], sequence.last
            drafted = len(launch.plan.guesses.get(row, ()))
            if sequence.sampling.odds is not None:
                self._weigh(sequence, chosen[:count], odds[row])
            event = self._append(sequence, chosen[:count], drafted)
            self._seating.extend(slot, [last, *chosen[: count - 1]])
            if event.finish is not None:
                self._leave(slot, sequence)
            if event.finish is not None or (sequence.is_streamed and event.text):
                events.append(event)
        return events

    def _measure(self, launch: Launch) -> None:
        now = time.perf_counter()
        if self._drafts is not None and launch.is_typical:
            shape = launch.shape
            self._drafts.measured(shape.rows, shape.width, now - self._settled_at)
        self._settled_at = now
        self.tally.steps += 1

    def _append(self, sequence: Sequence, tokens: list[int], drafted: int) -> Event:
        """Add tokens up to where the sequence ends."""
        before = len(sequence.tokens)
        for token in tokens:
            sequence.tokens.append(token)
            if token in self._ends or sequence.transcript.push(self._pieces[token]):
                sequence.finish = Finish.STOP
            elif not sequence.room:
                sequence.finish = Finish.LENGTH
            if sequence.finish is not None:
                break
        accepted = min(len(tokens) - 1, len(sequence.tokens) - before)
        sequence.drafted += drafted
        sequence.accepted += accepted
        self.tally.tokens += len(sequence.tokens) - before
        self.tally.drafted += drafted
        self.tally.accepted += accepted
        if self._drafts is not None:
            self._drafts.learn(sequence, sequence.tokens[before:], drafted)
        if not sequence.is_streamed and sequence.finish is None:
            return Event(sequence, "", None)
        text = sequence.transcript.take(is_final=sequence.finish is not None)
        is_told = bool(text) or sequence.finish is not None
        return sequence.tell(text) if is_told else Event(sequence, "", None)

    def _weigh(self, sequence: Sequence, tokens: list[int], odds: list[list[float]]) -> None:
        """Note how likely tokens were that are about to be appended; the end is no text."""
        most = sequence.sampling.odds or 0
        for token, weighed in zip(tokens[: sequence.room], odds, strict=False):
            if token in self._ends:
                break
            sequence.odds.append(Odds.read(token, weighed, most))


def _fetch(written: Written) -> tuple[Written, torch.cuda.Event]:
    """Begin to bring tensors to the host; the event tells when they are there."""
    odds = None if written.odds is None else _copy(written.odds)
    host = Written(_copy(written.tokens), odds)
    is_there = torch.cuda.Event()
    is_there.record()
    return host, is_there


def _copy(tensor: Tensor) -> Tensor:
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
