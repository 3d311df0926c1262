"""The texts that the answers to one bug may copy from, findable by their last few tokens."""

from __future__ import annotations

from collections.abc import Sequence as Listing
from enum import StrEnum

GRAM = 3  # tokens that must agree before a place is looked at
LONGEST = 32  # tokens beyond which agreeing places are equally good
PLACES = 12  # kept for each gram, the newest ones

Gram = tuple[int, ...]


class Kind(StrEnum):
    """Where a text comes from."""

    PROMPT = "prompt"  # the buggy code among it
    ANSWER = "answer"  # a sibling's, or what the sequence itself has written


class Stream:
    """A text that grows at its end."""

    __slots__ = ("kind", "tokens")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.tokens: list[int] = []


class Place:
    """A position in a stream, behind `agreed` tokens that agree with the text being written."""

    __slots__ = ("agreed", "at", "stream")

    def __init__(self, stream: Stream, at: int, agreed: int = 0) -> None:
        self.stream = stream
        self.at = at
        self.agreed = agreed

    def ahead(self, most: int) -> list[int]:
        """The tokens that come next there."""
        return self.stream.tokens[self.at : self.at + most]


class Family:
    """All streams of one bug in one index: its prompts, and the answers given so far."""

    def __init__(self) -> None:
        self._index: dict[Gram, list[tuple[Stream, int]]] = {}
        self._prompts: dict[Gram, Stream] = {}
        self._answers: list[Stream] = []
        self.size = 0

    def read_prompt(self, prompt: Gram) -> Stream:
        """The stream of a prompt, read once however often it is asked."""
        if prompt not in self._prompts:
            stream = Stream(Kind.PROMPT)
            self.extend(stream, prompt)
            self._prompts[prompt] = stream
        return self._prompts[prompt]

    def begin_answer(self) -> tuple[Stream, Place | None]:
        """A stream for a new answer, and the sibling that it may begin like."""
        longest = max(self._answers, key=lambda stream: len(stream.tokens), default=None)
        self._answers.append(Stream(Kind.ANSWER))
        return self._answers[-1], None if longest is None else Place(longest, 0)

    def extend(self, stream: Stream, tokens: Listing[int]) -> None:
        """Let a stream grow."""
        held, index = stream.tokens, self._index
        first = max(len(held) + 1, GRAM)
        held.extend(tokens)
        self.size += len(tokens)
        for end in range(first, len(held) + 1):
            places = index.setdefault(tuple(held[end - GRAM : end]), [])
            places.append((stream, end))
            if len(places) > PLACES:
                # The prompt's own places stay: the buggy code is what is copied most.
                del places[next((i for i, p in enumerate(places) if p[0].kind is Kind.ANSWER), 0)]

    def find(self, text: Listing[int], last: Place | None) -> Place | None:
        """Where the end of `text` was met before: the longest agreement wins.

        Of equally long ones, the next behind `last` is preferred, then the earliest stream.
        """
        best: Place | None = None
        best_rank = (0, False, 0)
        for stream, at in self._index.get(tuple(text[-GRAM:]), ()):
            if at >= len(stream.tokens):
                continue
            agreed = _agreement(text, stream.tokens, at)
            follows = last is not None and stream is last.stream and at >= last.at
            rank = (agreed, follows, -at if follows else 0)
            if rank > best_rank:
                best, best_rank = Place(stream, at, agreed), rank
        return best


def _agreement(text: Listing[int], other: Listing[int], at: int) -> int:
    """How many tokens before the end of `text` are those before `at` in `other`."""
    most = min(len(text), at, LONGEST)
    for back in range(GRAM + 1, most + 1):
        if text[-back] != other[at - back]:
            return back - 1
    return max(most, GRAM)
