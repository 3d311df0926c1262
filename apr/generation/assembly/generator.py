"""Any generator, made to mend bugs in several hunks: a node holds a part of the patch.

At the root come edits of single hunks and edits that are made alike in all of them; at a node, the
same for the hunks that its patch leaves as they are. The search decides which nodes are worth
that, so that nothing is multiplied that has not helped by itself.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from apr.core.patch import Patch
from apr.core.ports import Generator, Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.assembly.candidates import Candidate, HunkCandidates
from apr.generation.assembly.hunks import find_hunks
from apr.generation.assembly.joining import Combination, Key, join_patches, same_everywhere

_KEYS: tuple[Key, ...] = (lambda candidate: candidate.text, lambda candidate: candidate.change)
_WEIGHTS = (1.0, 0.5)
"""An edit that makes all hunks the same is the likelier one; some only change them alike."""


class Order(StrEnum):
    """In which order a node's edits are tried."""

    RANKED = "ranked"  # the best of all hunks first, alike edits beside the single ones
    PUBLISHED = "published"  # as in MultiMend: alike edits, then hunk after hunk


@dataclass(frozen=True, slots=True)
class AssemblySettings:
    """How a bug is taken apart into hunks, and how patches are put together.

    `hunks`: the most hunks of a bug; `candidates`: the most of each hunk, `chunk` of them asked
    for at a time.
    """

    order: Order = Order.RANKED
    hunks: int = 16
    candidates: int = 500
    chunk: int = 8


@dataclass(frozen=True, slots=True)
class Assembled:
    """How many candidates each hunk has had, and how many patches those make."""

    candidates: tuple[int, ...]

    @property
    def combinations(self) -> int:
        """The patches of the Cartesian product, each hunk's being left as it is included."""
        return math.prod(count + 1 for count in self.candidates) - 1


class AssemblingGenerator:
    """A `Generator`; with a single hunk it is the inner one.

    Nothing is proposed twice in one context, under whatever parent.
    """

    def __init__(self, inner: Generator, settings: AssemblySettings | None = None) -> None:
        self._inner = inner
        self._settings = settings or AssemblySettings()
        self._context: RepairContext | None = None
        self._assembly: _Assembly | None = None

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        """See `Generator.propose`."""
        if self._context is not context:
            self._context = context
            hunks = find_hunks(context.locations, context.sources, self._settings.hunks)
            several = len(hunks) > 1
            self._assembly = (
                _Assembly(
                    HunkCandidates(
                        self._inner, context, hunks, self._settings.candidates, self._settings.chunk
                    ),
                    len(hunks),
                    self._settings.order,
                )
                if several
                else None
            )
        if self._assembly is None:
            return self._inner.propose(context, parent, n)
        return self._assembly.next_proposals(parent, n)

    @property
    def assembled(self) -> Assembled | None:
        """What came of it so far; None without several hunks."""
        return None if self._assembly is None else Assembled(self._assembly.counts)


class _Assembly:
    """What one context has been offered so far."""

    def __init__(self, candidates: HunkCandidates, hunks: int, order: Order) -> None:
        self._candidates = candidates
        self._hunks = range(hunks)
        self._order = order
        self._made: dict[str, Combination] = {Patch().digest: ()}
        self._seen: set[frozenset[tuple[int, int]]] = set()
        self._streams: dict[str, Iterator[Proposal]] = {}

    @property
    def counts(self) -> tuple[int, ...]:
        return self._candidates.counts

    def next_proposals(self, parent: SearchNode, n: int) -> list[Proposal]:
        digest = parent.patch.digest
        if digest not in self._streams:
            self._streams[digest] = self._stream(self._made[digest])
        return [proposal for _, proposal in zip(range(n), self._streams[digest], strict=False)]

    def _stream(self, base: Combination) -> Iterator[Proposal]:
        """Patches that do more than the ones of `base`, the best first."""
        taken = {candidate.hunk for candidate in base}
        left = [hunk for hunk in self._hunks if hunk not in taken]
        order = self._published if self._order is Order.PUBLISHED else self._ranked
        for score, added in order(left):
            proposal = self._proposal((*base, *added), score)
            if proposal is not None:
                yield proposal

    def _published(self, hunks: Sequence[int]) -> Iterator[tuple[float, Combination]]:
        alike = self._alike(hunks, _KEYS[0]) if len(hunks) == len(self._hunks) else []
        single = chain.from_iterable(map(self._candidates.ranked, hunks))
        for combination in chain(alike, ((candidate,) for candidate in single)):
            yield max(candidate.score for candidate in combination), combination

    def _ranked(self, hunks: Sequence[int]) -> Iterator[tuple[float, Combination]]:
        singles = [((c.score, (c,)) for c in self._candidates.ranked(hunk)) for hunk in hunks]
        alike = [
            [(weight * max(c.score for c in each), each) for each in self._alike(hunks, key)]
            for key, weight in zip(_KEYS, _WEIGHTS, strict=True)
        ]
        streams = [*(sorted(each, key=_by_score) for each in alike), *singles]
        return heapq.merge(*streams, key=_by_score)

    def _alike(self, hunks: Sequence[int], key: Key) -> list[Combination]:
        """Edits made alike in all of the hunks."""
        if len(hunks) < 2:
            return []
        return same_everywhere([list(self._candidates.ranked(hunk)) for hunk in hunks], key)

    def _proposal(self, combination: Combination, score: float) -> Proposal | None:
        """The patch of all these candidates; None when it was proposed before or is none."""
        key = frozenset((candidate.hunk, candidate.number) for candidate in combination)
        if key in self._seen:
            return None
        self._seen.add(key)
        patch = join_patches([candidate.patch for candidate in combination])
        if patch is None or patch.digest in self._made:
            return None
        self._made[patch.digest] = combination
        return Proposal(patch, score, _origin(combination))


def _by_score(scored: tuple[float, Combination]) -> float:
    return -scored[0]


def _origin(combination: Sequence[Candidate]) -> str:
    """What the last edit is called, or the one that is made in several hunks."""
    return combination[-1].origin
