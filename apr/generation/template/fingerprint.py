"""Normal-form digests of a file, recomputed only for the top-level piece that an edit touches."""

from __future__ import annotations

import hashlib
from bisect import bisect_right

from apr.generation.template.edits import Edit, Language


class FileFingerprint:
    """The normal form of one text, kept by top-level piece.

    A file of an unknown language, or one that does not parse, is its own normal form.
    """

    def __init__(self, text: str, language: Language | None) -> None:
        self._text = text
        self._language = language
        self._chunks: list[tuple[int, int]] = []
        self._forms: list[str] = []
        self._starts: list[int] = []
        if language is not None:
            self._fill(language)
        self.digest = _digest(self._forms or [text])

    def digest_after(self, edit: Edit) -> str | None:
        """The digest of the edited file; None when it does not parse."""
        if self._language is None or not self._forms:
            return None
        first, last = self._touched(edit)
        start, end = self._chunks[first][0], self._chunks[last][1]
        piece = self._text[start : edit.start] + edit.replacement + self._text[edit.end : end]
        form = self._language.normalise(piece)
        if form is None:
            return None
        return _digest([*self._forms[:first], form, *self._forms[last + 1 :]])

    def _fill(self, language: Language) -> None:
        chunks = list(language.chunks(self._text))
        forms = [language.normalise(self._text[start:end]) for start, end in chunks]
        if all(form is not None for form in forms):
            self._chunks, self._forms = chunks, [form for form in forms if form is not None]
            self._starts = [start for start, _ in chunks]

    def _touched(self, edit: Edit) -> tuple[int, int]:
        """The first and last piece that the edit's span meets, its own end included."""
        first = max(bisect_right(self._starts, edit.start) - 1, 0)
        last = max(bisect_right(self._starts, max(edit.end - 1, edit.start)) - 1, first)
        return first, last


def _digest(forms: list[str]) -> str:
    return hashlib.sha256("".join(forms).encode("utf-8", "surrogatepass")).hexdigest()
