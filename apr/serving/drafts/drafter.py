"""What one sequence will probably write next: a place to copy from, followed and re-found.

A guess that is wrong costs little and never changes the text, so the drafter only has to be right
often: it follows one place as long as that agrees, steps over small edits, and looks for the
longest agreement when it has lost its way.
"""

from __future__ import annotations

from collections.abc import Sequence as Listing

from apr.serving.drafts.family import GRAM, LONGEST, Family, Place
from apr.serving.drafts.pace import Hope
from apr.serving.drafts.trust import Trust

FIRST_REACH = 7  # tokens guessed at a new place
LONGEST_REACH = 31
EDIT_REACH = 3  # tokens guessed right behind a difference
SKIP = 8  # tokens that an edit may delete and still be stepped over
MISSES = 2  # differences in a row after which a place is given up
MEMORY = 0.7  # weight of the past in a place's share of right guesses


class Drafter:
    """Guesses for one sequence; `family` is shared with its siblings, `trust` with everybody."""

    def __init__(self, family: Family, trust: Trust, prompt: tuple[int, ...]) -> None:
        self._family = family
        self._trust = trust
        family.read_prompt(prompt)
        self._own, self._place = family.begin_answer()
        self._lost: Place | None = None
        self._reach = FIRST_REACH
        self._misses = 0
        self._share = trust.of(LONGEST)

    @property
    def hope(self) -> Hope:
        """What is to be expected of a guess."""
        if self._place is None:
            return Hope(0, 0.0)
        left = len(self._place.stream.tokens) - self._place.at
        return Hope(min(self._reach, left), self._share)

    def guess(self, most: int) -> list[int]:
        """At most `most` tokens that may come next; empty when nothing is like it."""
        return [] if self._place is None else self._place.ahead(min(self._reach, most))

    def learn(self, tokens: Listing[int], drafted: int) -> None:
        """The sequence goes on with `tokens`, after the first `drafted` of the guess were tried."""
        self._family.extend(self._own, tokens)
        if self._place is not None:
            self._follow(self._place, tokens, drafted)
        if self._place is None and len(self._own.tokens) >= GRAM:
            self._place = self._family.find(self._own.tokens, self._lost)
            if self._place is not None:
                self._share = self._trust.of(self._place.agreed)

    def _follow(self, place: Place, tokens: Listing[int], drafted: int) -> None:
        ahead = place.ahead(len(tokens))
        right = 0
        while right < len(ahead) and ahead[right] == tokens[right]:
            right += 1
        if drafted:
            share = min(right, drafted) / drafted
            self._trust.learn(place.agreed, share)
            self._share = MEMORY * self._share + (1 - MEMORY) * share
            if right >= drafted:
                self._reach = min(2 * self._reach, LONGEST_REACH)
        if right:
            self._misses = 0
        place.at += right
        place.agreed += right
        if right < len(tokens):
            self._step_over(place, tokens[right:])
        if self._place is not None and place.at >= len(place.stream.tokens):
            self._give_up()

    def _step_over(self, place: Place, others: Listing[int]) -> None:
        """Go on behind what differs: a token replaced, or some of the place's left out."""
        self._misses += 1
        if self._misses >= MISSES or len(others) > 1:
            self._give_up()
            return
        near = place.ahead(SKIP)
        place.at += near.index(others[0]) + 1 if others[0] in near else 1
        place.agreed = 0
        self._share = self._trust.of(0)
        self._reach = EDIT_REACH

    def _give_up(self) -> None:
        self._lost, self._place = self._place, None
        self._misses = 0
        self._reach = FIRST_REACH
