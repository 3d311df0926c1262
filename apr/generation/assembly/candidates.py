"""The ranked candidates of every hunk, asked for when they are needed, of all hunks at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch, split_lines
from apr.core.ports import (
    ConcurrentGenerator,
    Generator,
    Proposal,
    RepairContext,
    SamplingGenerator,
)
from apr.core.tree import ROOT, SearchNode

PATIENCE = 3
"""Answers in a row without a new patch after which a model has no more for a hunk."""

_TOKEN = re.compile(r"\w+|[^\w\s]")

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The patch of rank `number`, from 0, that mends hunk `hunk` of the base.

    `text` is the hunk in its new form, `change` what was taken from it and put into it; both are
    tokens, so that blanks make no difference. They are None of a patch that reaches beyond.
    """

    hunk: int
    number: int
    patch: Patch
    score: float
    origin: str
    text: Tokens | None
    change: tuple[Tokens, Tokens] | None


class HunkCandidates:
    """At most `most` distinct patches for each hunk, `chunk` of them asked for at a time."""

    def __init__(
        self,
        inner: Generator,
        context: RepairContext,
        hunks: Sequence[SuspiciousLocation],
        most: int,
        chunk: int,
    ) -> None:
        self._inner = inner
        self._hunks = tuple(hunks)
        self._most = most
        self._chunk = chunk
        by_name = {_name(number): (hunk,) for number, hunk in enumerate(hunks)}
        self._context = replace(
            context, locations=self._hunks, relocate=lambda node: by_name[node.origin]
        )
        self._found: list[list[Candidate]] = [[] for _ in hunks]
        self._known: list[set[str]] = [{Patch().digest} for _ in hunks]
        self._vain = [0 for _ in hunks]
        self._patience = PATIENCE if isinstance(inner, SamplingGenerator) else 1

    @property
    def counts(self) -> tuple[int, ...]:
        """How many candidates each hunk has had so far."""
        return tuple(len(found) for found in self._found)

    def ranked(self, hunk: int) -> Iterator[Candidate]:
        """The candidates of a hunk, the best first."""
        number = 0
        while self._has(hunk, number):
            yield self._found[hunk][number]
            number += 1

    def _has(self, hunk: int, number: int) -> bool:
        while len(self._found[hunk]) <= number and self._is_open(hunk):
            self._ask()
        return len(self._found[hunk]) > number

    def _is_open(self, hunk: int) -> bool:
        return len(self._found[hunk]) < self._most and self._vain[hunk] < self._patience

    def _ask(self) -> None:
        """The next chunk for every hunk that may have more."""
        hunks = [hunk for hunk in range(len(self._hunks)) if self._is_open(hunk)]
        wants = [(SearchNode(ROOT, None, Patch(), origin=_name(h)), self._chunk) for h in hunks]
        answers: Sequence[Sequence[Proposal]]
        if isinstance(self._inner, ConcurrentGenerator):
            answers = self._inner.propose_many(self._context, wants)
        else:
            answers = [self._inner.propose(self._context, node, n) for node, n in wants]
        for hunk, answer in zip(hunks, answers, strict=True):
            self._take(hunk, answer)

    def _take(self, hunk: int, answer: Sequence[Proposal]) -> None:
        found, known = self._found[hunk], self._known[hunk]
        before = len(found)
        for proposal in answer[: self._most - before]:
            if proposal.patch.digest not in known:
                known.add(proposal.patch.digest)
                found.append(self._candidate(hunk, proposal))
        self._vain[hunk] = 0 if len(found) > before else self._vain[hunk] + 1

    def _candidate(self, hunk: int, proposal: Proposal) -> Candidate:
        place, patch = self._hunks[hunk].location, proposal.patch
        new = changed_lines(patch, place, self._context.sources)
        old = changed_lines(Patch(), place, self._context.sources)
        text = None if new is None else tuple(_TOKEN.findall("".join(new)))
        change = (
            None if text is None else _difference(tuple(_TOKEN.findall("".join(old or ()))), text)
        )
        number = len(self._found[hunk])
        return Candidate(hunk, number, patch, proposal.score, proposal.origin, text, change)


def _name(hunk: int) -> str:
    """What tells the generator's questions about one hunk from those about another."""
    return f"hunk {hunk}"


def changed_lines(
    patch: Patch, place: Location, sources: Mapping[str, str]
) -> tuple[str, ...] | None:
    """The lines of `place` as the patch leaves them; None when it changes others."""
    lines = split_lines(sources[place.path])
    changed: list[str] = []
    line = place.first
    for hunk in sorted(patch.hunks):
        end = hunk.first + len(hunk.old)
        if hunk.path != place.path or hunk.first < place.first or end > place.last + 1:
            return None
        changed += lines[line - 1 : hunk.first - 1]
        changed += hunk.new
        line = end
    return tuple(changed + lines[line - 1 : place.last])


def _difference(old: Tokens, new: Tokens) -> tuple[Tokens, Tokens]:
    """What stands between the tokens that both begin and end with."""
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    rest = shorter - start
    end = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
    return old[start : len(old) - end], new[start : len(new) - end]
