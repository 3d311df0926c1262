"""Best-first enumeration of the edits of several files, generated a few lines at a time."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from apr.generation.template.edits import Edit, Ingredients, Language


@dataclass(frozen=True, slots=True)
class TemplateSettings:
    """How the parts of a score combine.

    `suspiciousness_exponent`: 0 ignores localization, 1 trusts it as a probability.
    `repetition_exponent`: how fast the k-th best edit of one template at one line loses weight
    (k + 1)^-x; 0 never. `line_exponent`: the same over all edits of one line.
    `lines_per_batch`: suspicious lines whose edits are generated together.
    `streams_kept`: parents whose enumeration stays in memory; others start over when asked
    again, which costs time but changes no answer.
    `refined_lines`: how many of the most suspicious lines are edited on top of a parent's patch.
    `related_bonus`: factor for an edit of the same template as the parent's own.
    """

    suspiciousness_exponent: float = 1.0
    repetition_exponent: float = 0.35
    line_exponent: float = 0.0
    lines_per_batch: int = 40
    refined_lines: int = 150
    related_bonus: float = 2.0
    streams_kept: int = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit of `path` with its score > 0."""

    path: str
    edit: Edit
    score: float


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    text: str
    language: Language
    ingredients: Ingredients
    scores: Mapping[int, float]


class RankedEdits:
    """All edits of the added files by falling score; the seed decides among equal ones.

    With seed 0 what comes first in the file goes first. The order depends on nothing but the
    seed and the edits, so that an enumeration can be started over.
    Generating the edits of a line costs time, so less suspicious lines wait until the best edit
    they could possibly have (prior 1) would be next.
    """

    def __init__(self, settings: TemplateSettings, seed: int = 0) -> None:
        self._settings = settings
        self._seed = seed
        self._files: list[_File] = []

    def add_file(
        self,
        path: str,
        text: str,
        language: Language,
        ingredients: Ingredients,
        scores: Mapping[int, float],
    ) -> None:
        """Enumerate `text` too; `scores` is the suspiciousness in (0, 1] of its lines."""
        self._files.append(_File(path, text, language, ingredients, scores))

    def best_first(self, related: str | None = None) -> Iterator[Candidate]:
        """Every candidate once, the best first; `related` is the template of the parent's edit."""
        is_root = related is None
        batches = self._batches(
            1.0 if is_root else max(1.0, self._settings.related_bonus),
            None if is_root else self._settings.refined_lines,
        )
        heap: list[tuple[float, int, int, Candidate]] = []
        number = 0
        for position, (_, batch) in enumerate(batches):
            for candidate in self._candidates(batch, related):
                lot = self._lot(candidate.path, candidate.edit)
                heapq.heappush(heap, (-candidate.score, lot, number, candidate))
                number += 1
            following = batches[position + 1][0] if position + 1 < len(batches) else 0.0
            while heap and -heap[0][0] >= following:
                yield heapq.heappop(heap)[3]

    def _batches(
        self, best: float, limit: int | None
    ) -> list[tuple[float, list[tuple[_File, frozenset[int]]]]]:
        """Groups of lines with the highest score that any edit in them could reach.

        `best` is the highest value of an edit's other factors; `limit` cuts the list of lines.
        """
        settings = self._settings
        lines = sorted(
            (-score, index, line)
            for index, file in enumerate(self._files)
            for line, score in file.scores.items()
        )[:limit]
        batches = []
        for first in range(0, len(lines), settings.lines_per_batch):
            group = lines[first : first + settings.lines_per_batch]
            bound = self._weight(-group[0][0]) * best
            by_file = {
                index: frozenset(n for _, i, n in group if i == index) for _, index, _ in group
            }
            batches.append((bound, [(self._files[i], chosen) for i, chosen in by_file.items()]))
        return batches

    def _weight(self, suspiciousness: float) -> float:
        return float(suspiciousness**self._settings.suspiciousness_exponent)

    def _by_prior(self, path: str, edits: Iterable[Edit]) -> list[Edit]:
        """The best first: of those that are equal, the later ones will lose weight."""
        return sorted(
            edits,
            key=lambda edit: (-edit.prior, self._lot(path, edit), edit.start, edit.replacement),
        )

    def _lot(self, path: str, edit: Edit) -> int:
        """What the seed draws for an edit; lower goes first among equal scores."""
        if self._seed == 0:
            return 0
        text = (
            f"{self._seed}\0{path}\0{edit.start}\0{edit.end}\0{edit.template}\0{edit.replacement}"
        )
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    def _candidates(
        self, batch: list[tuple[_File, frozenset[int]]], related: str | None
    ) -> Iterator[Candidate]:
        for file, lines in batch:
            edits = file.language.edits(file.text, lines, file.ingredients)
            ordered = self._by_prior(file.path, edits)
            kinds: dict[tuple[int, str], int] = {}
            totals: dict[int, int] = {}
            for edit in ordered:
                kind = (edit.line, edit.template)
                score = self._weight(file.scores.get(edit.line, 0.0)) * edit.prior
                score *= (kinds.get(kind, 0) + 1) ** -self._settings.repetition_exponent
                score *= (totals.get(edit.line, 0) + 1) ** -self._settings.line_exponent
                score *= self._settings.related_bonus if edit.template == related else 1.0
                kinds[kind] = kinds.get(kind, 0) + 1
                totals[edit.line] = totals.get(edit.line, 0) + 1
                if score > 0:
                    yield Candidate(file.path, edit, score)
