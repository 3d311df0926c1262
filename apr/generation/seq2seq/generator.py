"""Patches from a repair model: the lines of suspicious places, written anew.

A place's answers are ranked by the place's suspiciousness and the probability that the answer is
right. The model is slow beside everything else, so the places come a few at a time, and the next
ones wait until what they could bring is worth as much as what is at hand.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from apr.core.patch import Patch, diff_texts, split_lines
from apr.core.ports import Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.retrieval import LineIndex, index_lines
from apr.generation.retrieval.embedding import Embedder
from apr.generation.seq2seq.calibration import Calibrate, as_probability, calibrate_by
from apr.generation.seq2seq.format import Rendering, render_within
from apr.generation.seq2seq.model import Guess, RepairModel
from apr.generation.seq2seq.sites import Site, find_sites, show_site
from apr.source.statements import index_source
from apr.source.syntax import parses


@dataclass(frozen=True, slots=True)
class Seq2SeqSettings:
    """How the model is asked.

    `beams` answers for each place, and when those of all places are used up, `samples` drawn ones.
    `places` are the most hunks of a node, `batch` of the places around them asked about at a time.
    `hope`: what the best answer for a place is worth before it is asked for, as a probability.
    """

    beams: int = 50
    samples: int = 50
    places: int = 40
    batch: int = 6
    hope: float = 0.2
    retrieval: bool = True


class Seq2SeqGenerator:
    """A `Generator`; what does not parse, though the file did before, is not proposed.

    One instance serves one context at a time; another context starts it afresh.
    """

    def __init__(
        self,
        model: RepairModel,
        settings: Seq2SeqSettings | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self._model = model
        self._settings = settings or Seq2SeqSettings()
        self._embedder = embedder
        table = model.facts.calibration.get("seq2seq")
        self._calibrate = calibrate_by(table) if table else as_probability
        self._context: RepairContext | None = None
        self._streams: dict[tuple[str, str], Iterator[Proposal]] = {}

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        """The next at most `n` patches on top of `parent.patch`."""
        return self.propose_many(context, [(parent, n)])[0]

    def propose_many(
        self, context: RepairContext, wants: Sequence[tuple[SearchNode, int]]
    ) -> list[Sequence[Proposal]]:
        """See `ConcurrentGenerator.propose_many`."""
        if self._context is not context:
            self._context = context
            self._streams.clear()
        answers: list[Sequence[Proposal]] = []
        for parent, n in wants:
            key = (parent.patch.digest, parent.origin)
            if key not in self._streams:
                self._streams[key] = self._expand(context, parent)
            answers.append(list(islice(self._streams[key], n)))
        return answers

    def _expand(self, context: RepairContext, parent: SearchNode) -> Iterator[Proposal]:
        changed = parent.patch.apply_edits(context.sources)
        texts = {**context.sources, **changed}
        sites = find_sites(texts, context.locations_of(parent), parent.patch, self._settings.places)
        lines = None
        if self._settings.retrieval:
            lines = index_lines(context.sources, embedder=self._embedder)
        desk = _Desk(self._model, self._settings, texts, lines)
        seen = {parent.patch.digest, Patch().digest}
        for score, site, fixed in desk.best_first(sites, self._calibrate, _seed(context, parent)):
            text = _written(texts[site.path], site, fixed)
            if parses(site.path, texts[site.path]) and not parses(site.path, text):
                continue
            patch = diff_texts(context.sources, {**changed, site.path: text})
            if patch.digest not in seen:
                seen.add(patch.digest)
                yield Proposal(patch, score, self._model.facts.name)


@dataclass(frozen=True, slots=True)
class _Question:
    site: Site
    rendering: Rendering


class _Desk:
    """Puts the places of one program to the model."""

    def __init__(
        self,
        model: RepairModel,
        settings: Seq2SeqSettings,
        texts: Mapping[str, str],
        lines: LineIndex | None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._texts = texts
        self._lines = lines

    def best_first(
        self, sites: Sequence[Site], calibrate: Calibrate, seed: int
    ) -> Iterator[tuple[float, Site, tuple[str, ...]]]:
        """Scores in (0, 1] and fixed lines of all sites: those of beams, then drawn ones."""
        questions = [q for site in sites if (q := self._question(site)) is not None]
        batch, hope = self._settings.batch, self._settings.hope
        for drawn in (False, True) if self._settings.samples else (False,):
            heap: list[tuple[float, int, Site, tuple[str, ...]]] = []
            for start in range(0, len(questions), batch):
                for found in self._answers(questions[start : start + batch], drawn, seed):
                    site, guess, fixed = found
                    score = -site.weight * calibrate(guess.score)
                    heapq.heappush(heap, (score, len(heap) + start, site, fixed))
                rest = questions[start + batch : start + batch + 1]
                waiting = rest[0].site.weight * hope if rest else 0.0
                while heap and -heap[0][0] >= waiting:
                    score, _, site, fixed = heapq.heappop(heap)
                    yield -score, site, fixed

    def _question(self, site: Site) -> _Question | None:
        text = self._texts[site.path]
        shown = show_site(site, text, index_source(site.path, text), self._lines)
        rendering = None if shown is None else render_within(shown, self._model.count_tokens)
        return None if rendering is None else _Question(site, rendering)

    def _answers(
        self, questions: Sequence[_Question], drawn: bool, seed: int
    ) -> Iterator[tuple[Site, Guess, tuple[str, ...]]]:
        sources = [question.rendering.source for question in questions]
        if drawn:
            answered = self._model.sample(sources, self._settings.samples, seed)
        else:
            answered = self._model.search(sources, self._settings.beams)
        for question, guesses in zip(questions, answered, strict=True):
            for guess in guesses:
                fixed = question.rendering.read(guess.answer)
                if fixed is not None:
                    yield question.site, guess, fixed


def _written(text: str, site: Site, fixed: Sequence[str]) -> str:
    """The text with the site's lines replaced; line ends are those of the file."""
    lines = split_lines(text)
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    lines[site.first - 1 : site.first - 1 + site.count] = [line + ending for line in fixed]
    return "".join(lines)


def _seed(context: RepairContext, parent: SearchNode) -> int:
    text = f"{context.seed}\0{parent.patch.digest}\0{parent.origin}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
