"""Several generators as one ranked stream, each patch once."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from apr.core.patch import Patch
from apr.core.ports import Generator, Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.seq2seq.calibration import Calibrate

CHUNK = 8


@dataclass(frozen=True, slots=True)
class Voice:
    """A generator, and what its scores mean."""

    generator: Generator
    calibrate: Calibrate


class HybridGenerator:
    """A `Generator`: what its voices propose for a node, by how likely each says it is right.

    Of a patch that several propose the first is kept. One instance serves one context at a time;
    another context starts it afresh.
    """

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._voices = tuple(voices)
        self._context: RepairContext | None = None
        self._streams: dict[tuple[str, str], Iterator[Proposal]] = {}

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        """The next at most `n` patches on top of `parent.patch`."""
        if self._context is not context:
            self._context = context
            self._streams.clear()
        key = (parent.patch.digest, parent.origin)
        if key not in self._streams:
            self._streams[key] = self._merged(context, parent)
        return list(islice(self._streams[key], n))

    def _merged(self, context: RepairContext, parent: SearchNode) -> Iterator[Proposal]:
        seen = {Patch().digest, parent.patch.digest}
        streams = (_said(voice, context, parent) for voice in self._voices)
        for proposal in heapq.merge(*streams, key=lambda proposal: -proposal.score):
            if proposal.patch.digest not in seen:
                seen.add(proposal.patch.digest)
                yield proposal


def _said(voice: Voice, context: RepairContext, parent: SearchNode) -> Iterator[Proposal]:
    """All that one voice proposes, with calibrated scores."""
    while proposals := voice.generator.propose(context, parent, CHUNK):
        for proposal in proposals:
            yield replace(proposal, score=voice.calibrate(proposal.score))
