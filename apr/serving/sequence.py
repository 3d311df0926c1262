"""One answer being written: what was asked, what has come so far, and why it ended."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from enum import StrEnum

from apr.serving.sampling import COLDEST, MOST_ALTERNATIVES, Needs


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"  # the model ended it, or a stop string came
    LENGTH = "length"  # as many tokens as were asked for, or as fit
    CANCELLED = "cancelled"  # nobody waits for it any more


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn; temperature 0 takes the likeliest token.

    `odds`: how many of the likeliest tokens are told beside each one chosen; None tells nothing.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    odds: int | None = None
    needs: Needs = field(init=False)

    def __post_init__(self) -> None:
        needs = Needs(
            noise=not self.is_greedy,
            nucleus=self.top_p < 1 and not self.is_greedy,
            penalties=self.presence_penalty != 0 or self.frequency_penalty != 0,
            odds=self.odds is not None,
        )
        object.__setattr__(self, "needs", needs)

    @property
    def is_greedy(self) -> bool:
        """Whether no chance is involved."""
        return self.temperature < COLDEST


@dataclass(frozen=True, slots=True)
class Odds:
    """A token of an answer, its log-probability, and the likeliest tokens with theirs."""

    token: int
    logarithm: float
    likeliest: tuple[tuple[int, float], ...]

    @staticmethod
    def read(token: int, weighed: list[float], most: int) -> Odds:
        """From one place of what `sampling.weigh` returns."""
        values = weighed[1 : 1 + most]
        ids = weighed[1 + MOST_ALTERNATIVES :]
        pairs = zip(ids, values, strict=False)
        return Odds(token, weighed[0], tuple((int(one), value) for one, value in pairs))


@dataclass(frozen=True, slots=True)
class Event:
    """What became of a sequence in one step: new text, and the reason if it ended.

    `odds` are those of the tokens that no event has told of yet, the first of them the `told`-th.
    """

    sequence: Sequence
    text: str
    finish: Finish | None
    odds: tuple[Odds, ...] = ()
    told: int = 0


class Transcript:
    """The bytes of an answer, searched for stop strings as they come.

    What may be the beginning of a stop string, or half a character, is held back.
    """

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self._stops = [word.encode() for word in stop]
        self._hold = max((len(word) - 1 for word in self._stops), default=0)
        self._bytes = bytearray()
        self._given = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, piece: bytes) -> bool:
        """Add a piece; true when a stop string came, which is cut off with all behind it."""
        self._bytes += piece
        if not self._stops or not piece:
            return False
        start = max(0, len(self._bytes) - len(piece) - self._hold)
        found = [at for word in self._stops if (at := self._bytes.find(word, start)) >= 0]
        if not found:
            return False
        del self._bytes[min(found) :]
        return True

    def take(self, *, is_final: bool) -> str:
        """The text that is certain by now and was not taken before."""
        end = len(self._bytes) if is_final else max(self._given, len(self._bytes) - self._hold)
        fresh = bytes(self._bytes[self._given : end])
        self._given = end
        return self._decoder.decode(fresh, is_final)


@dataclass(slots=True, eq=False)
class Sequence:
    """A prompt, and the tokens that have been written to it.

    Sequences of one `family` copy from each other's answers; "" stands for all of equal prompt.
    """

    prompt: tuple[int, ...]
    sampling: Sampling
    is_streamed: bool = False
    family: str = ""
    tokens: list[int] = field(default_factory=list)
    odds: list[Odds] = field(default_factory=list)
    told: int = 0  # of the odds, how many were given with an event
    finish: Finish | None = None
    cached_tokens: int = 0
    drafted: int = 0
    accepted: int = 0
    transcript: Transcript = field(init=False)

    def __post_init__(self) -> None:
        self.transcript = Transcript(self.sampling.stop)

    @property
    def room(self) -> int:
        """How many tokens may still come."""
        return self.sampling.max_tokens - len(self.tokens)

    def tell(self, text: str) -> Event:
        """New text, with the odds that were not told before."""
        told, self.told = self.told, len(self.odds)
        return Event(self, text, self.finish, tuple(self.odds[told:]), told)

    @property
    def last(self) -> int:
        """The token that the next one follows."""
        return self.tokens[-1] if self.tokens else self.prompt[-1]
