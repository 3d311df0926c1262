"""The template generator: ranks, deduplicates and lazily enumerates edits of a parent patch.

An edit's score is suspiciousness^a x template prior x ingredient similarity, discounted by how
many better edits of its own kind the same line has already had, so that no line and no template
crowds out the others. Among equal scores the run's seed decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apr.core.patch import Patch, diff_texts
from apr.core.ports import Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.template.edits import Edit, Ingredients, Language
from apr.generation.template.fingerprint import FileFingerprint
from apr.generation.template.lines import line_scores
from apr.generation.template.ranking import Candidate, RankedEdits, TemplateSettings


class TemplateGenerator:
    """Proposes single edits at the root and compositions below it.

    One instance serves one context at a time; another context starts it afresh. Nothing is ever
    proposed twice in one context, under whatever parent, nor is the base.
    """

    def __init__(
        self, languages: Sequence[Language], settings: TemplateSettings | None = None
    ) -> None:
        self._languages = tuple(languages)
        self._settings = settings or TemplateSettings()
        self._run: _Run | None = None

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        """The next at most `n` syntactically valid patches on top of `parent.patch`."""
        if self._run is None or self._run.context is not context:
            self._run = _Run(context, self._languages, self._settings)
        return self._run.next_proposals(parent, n)


class _Run:
    """What one context has been offered so far."""

    def __init__(
        self, context: RepairContext, languages: Sequence[Language], settings: TemplateSettings
    ) -> None:
        self.context = context
        self._languages = languages
        self._settings = settings
        self._ingredients: dict[tuple[str, ...], Ingredients] = {}
        self._base: dict[str, FileFingerprint] = {}
        self._seen: set[tuple[tuple[str, str], ...]] = {()}
        self._streams: dict[tuple[str, str], Iterator[Proposal]] = {}  # least recent first

    def next_proposals(self, parent: SearchNode, n: int) -> list[Proposal]:
        key = (parent.patch.digest, parent.origin)
        stream = self._streams.pop(key, None) or self._stream(parent)
        self._streams[key] = stream
        if len(self._streams) > self._settings.streams_kept:
            del self._streams[next(iter(self._streams))]
        return [proposal for _, proposal in zip(range(n), stream, strict=False)]

    def _stream(self, parent: SearchNode) -> Iterator[Proposal]:
        files = _ParentFiles.of(parent.patch, self.context.sources)
        ranked = RankedEdits(self._settings, self.context.seed)
        locations = self.context.locations_of(parent)
        for path, text in files.texts.items():
            language = self._language(path)
            scores = line_scores(path, locations, parent.patch)
            if language is not None and scores:
                ranked.add_file(path, text, language, self._project(language), scores)
        changed = {path: self._fingerprint(path, files.texts[path]) for path in parent.patch.paths}
        self._seen.add(self._key({path: print_.digest for path, print_ in changed.items()}))
        for candidate in ranked.best_first(related=parent.origin if parent.patch.hunks else None):
            proposal = self._proposal(candidate, files, changed)
            if proposal is not None:
                yield proposal

    def _proposal(
        self,
        candidate: Candidate,
        files: _ParentFiles,
        changed: dict[str, FileFingerprint],
    ) -> Proposal | None:
        path, edit = candidate.path, candidate.edit
        print_ = changed.get(path) or self._base_fingerprint(path)
        digest = print_.digest_after(edit) if print_ is not None else None
        if digest is None:
            return None
        key = self._key({**{p: f.digest for p, f in changed.items()}, path: digest})
        if key in self._seen:
            return None
        self._seen.add(key)
        patch = diff_texts(
            self.context.sources, {**files.changed, path: edit.apply(files.texts[path])}
        )
        return Proposal(patch, candidate.score, edit.template)

    def _key(self, digests: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
        """The normal form of a patch: the files that differ from the base, with their digests."""
        differing = []
        for path in sorted(digests):
            base, digest = self._base_fingerprint(path), digests[path]
            if digest is not None and (base is None or base.digest != digest):
                differing.append((path, digest))
        return tuple(differing)

    def _base_fingerprint(self, path: str) -> FileFingerprint:
        if path not in self._base:
            self._base[path] = self._fingerprint(path, self.context.sources[path])
        return self._base[path]

    def _fingerprint(self, path: str, text: str) -> FileFingerprint:
        return FileFingerprint(text, self._language(path))

    def _language(self, path: str) -> Language | None:
        return next((each for each in self._languages if path.endswith(each.suffixes)), None)

    def _project(self, language: Language) -> Ingredients:
        if language.suffixes not in self._ingredients:
            texts = [
                text
                for path, text in self.context.sources.items()
                if path.endswith(language.suffixes)
            ]
            self._ingredients[language.suffixes] = Ingredients.merge(map(language.harvest, texts))
        return self._ingredients[language.suffixes]


@dataclass(frozen=True, slots=True)
class _ParentFiles:
    """The sources as the parent patch leaves them."""

    texts: Mapping[str, str]
    changed: Mapping[str, str]

    @staticmethod
    def of(patch: Patch, sources: Mapping[str, str]) -> _ParentFiles:
        changed = patch.apply_edits(sources)
        return _ParentFiles({**sources, **changed}, changed)


__all__ = ["Edit", "TemplateGenerator", "TemplateSettings"]
