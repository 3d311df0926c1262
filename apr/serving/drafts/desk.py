"""All drafters of an engine: which families live, and how wide the next step is to be."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from apr.serving.drafts.drafter import Drafter
from apr.serving.drafts.family import Family
from apr.serving.drafts.pace import Pace
from apr.serving.drafts.trust import Trust
from apr.serving.sequence import Sequence

FAMILIES = 64  # that are remembered
FAMILY_TOKENS = 1_000_000  # beyond which a family begins anew


@dataclass(frozen=True, slots=True)
class Plan:
    """The width of a step, and the guess for each slot that has one."""

    width: int
    guesses: Mapping[int, list[int]]


class Drafts(Protocol):
    """Who guesses for an engine; a guess decides how fast a text comes, never what it is."""

    @property
    def widest(self) -> int:
        """The most tokens of a row that one step may work on, the one that is no guess included."""

    def begin(self, sequence: Sequence) -> None:
        """A sequence takes its slot."""

    def learn(self, sequence: Sequence, tokens: list[int], drafted: int) -> None:
        """A sequence goes on with `tokens`, after so many drafted ones were tried."""

    def end(self, sequence: Sequence) -> None:
        """A sequence leaves its slot."""

    def is_promising(self, rows: int, sequences: Iterable[Sequence]) -> bool:
        """Whether the next step is worth waiting for what the one before it brings."""

    def plan(self, rows: int, seats: Mapping[int, Sequence]) -> Plan:
        """What the next step of `rows` rows is to try; a guess is shorter than `room`."""

    def measured(self, rows: int, width: int, seconds: float) -> None:
        """A step took so long."""


class Desk:
    """`Drafts` by copying, as wide as pays."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._trust = Trust()
        self._families: OrderedDict[object, Family] = OrderedDict()
        self._drafters: dict[Sequence, Drafter] = {}

    @property
    def widest(self) -> int:
        """See `Drafts`."""
        return self._pace.widths[-1]

    def begin(self, sequence: Sequence) -> None:
        """See `Drafts`."""
        # A token that loses by having been used cannot be verified side by side with its heirs.
        if not sequence.sampling.needs.penalties:
            family = self._family(sequence.family or sequence.prompt)
            self._drafters[sequence] = Drafter(family, self._trust, sequence.prompt)

    def learn(self, sequence: Sequence, tokens: list[int], drafted: int) -> None:
        """See `Drafts`."""
        drafter = self._drafters.get(sequence)
        if drafter is not None:
            drafter.learn(tokens, drafted)

    def end(self, sequence: Sequence) -> None:
        """A sequence leaves its slot; its siblings may still copy from it."""
        self._drafters.pop(sequence, None)

    def is_promising(self, rows: int, sequences: Iterable[Sequence]) -> bool:
        """See `Drafts`."""
        return self._width(rows, sequences) > 1

    def plan(self, rows: int, seats: Mapping[int, Sequence]) -> Plan:
        """See `Drafts`."""
        width = self._width(rows, seats.values())
        guesses = {}
        for slot, sequence in seats.items():
            drafter = self._drafters.get(sequence)
            most = min(width - 1, sequence.room - 1)
            if drafter is not None and most > 0 and (guess := drafter.guess(most)):
                guesses[slot] = guess
        return Plan(width if guesses else 1, guesses)

    def measured(self, rows: int, width: int, seconds: float) -> None:
        """See `Drafts`."""
        self._pace.measured(rows, width, seconds)

    def _width(self, rows: int, sequences: Iterable[Sequence]) -> int:
        drafters = (self._drafters.get(sequence) for sequence in sequences)
        hopes = [drafter.hope for drafter in drafters if drafter is not None]
        return self._pace.choose(rows, hopes)

    def _family(self, key: object) -> Family:
        family = self._families.pop(key, None)
        if family is None or family.size > FAMILY_TOKENS:
            family = Family()
        self._families[key] = family
        if len(self._families) > FAMILIES:
            self._families.popitem(last=False)
        return family
