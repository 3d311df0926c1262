"""Training data as arrays of token ids in compressed files, which numpy and Python can read alone.

A file of code holds whole source files one after the other; a file of fixes holds sources and
answers in turn. Neither has END, START or padding in it: batches add these.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apr.core.errors import BadInputError
from apr.generation.seq2seq.format import (
    LANGUAGE_TOKENS,
    LANGUAGES,
    MASK_TOKENS,
    SPECIAL_TOKENS,
)

VOCABULARY = "vocabulary.json"
TOKENIZER = "tokenizer.json"
ORIGINS = ("mined", "injected")
EDITS = ("replace", "insert", "delete")
IDS = {token: number for number, token in enumerate(SPECIAL_TOKENS)}
LANGUAGE_IDS = tuple(IDS[LANGUAGE_TOKENS[language]] for language in LANGUAGES)
MASK_IDS = np.array([IDS[token] for token in MASK_TOKENS])

Ids = np.ndarray[Any, np.dtype[np.uint16]]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What training has to know of a tokenizer; `line_end` is the token of a line's end."""

    size: int
    line_end: int


@dataclass(frozen=True, slots=True)
class Code:
    """Source files: all tokens, where each file begins (and the last one ends), its language."""

    tokens: Ids
    starts: Array
    languages: Array


@dataclass(frozen=True, slots=True)
class Fixes:
    """Examples: all tokens, the lengths `[n, 2]` of source and answer, and facts `[n, 3]`.

    The facts are positions in LANGUAGES, ORIGINS and EDITS.
    """

    tokens: Ids
    lengths: Array
    facts: Array
    starts: Array

    def __len__(self) -> int:
        return len(self.lengths)

    def pair(self, number: int) -> tuple[Ids, Ids]:
        """The source and the answer of one example."""
        start = int(self.starts[number])
        middle = start + int(self.lengths[number, 0])
        end = middle + int(self.lengths[number, 1])
        return self.tokens[start:middle], self.tokens[middle:end]


def save_arrays(path: Path, *arrays: Array) -> None:
    """Write arrays into one file, quickly rather than small; it appears when it is whole."""
    part = path.with_suffix(".part")
    with lzma.open(part, "wb", preset=0) as file:
        for array in arrays:
            np.save(file, array)
    part.replace(path)


def load_arrays(path: Path) -> list[Array]:
    """What `save_arrays` wrote."""
    found: list[Array] = []
    with lzma.open(path, "rb") as file:
        while file.peek(1):
            found.append(np.load(file))
    return found


def save_code(path: Path, files: Sequence[Ids], languages: Sequence[int]) -> None:
    lengths = np.array([len(file) for file in files], dtype=np.uint32)
    save_arrays(path, np.concatenate(files), lengths, np.array(languages, dtype=np.uint8))


def load_code(folder: Path) -> Code:
    """All files of code in a folder.

    Raises:
        BadInputError: There are none.
    """
    parts = [load_arrays(path) for path in _parts(folder, "code")]
    tokens, lengths, languages = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Code(tokens, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))), languages)


def save_fixes(
    path: Path, pairs: Sequence[tuple[Ids, Ids]], facts: Sequence[Sequence[int]]
) -> None:
    lengths = np.array([[len(source), len(answer)] for source, answer in pairs], dtype=np.uint16)
    tokens = np.concatenate([part for pair in pairs for part in pair])
    save_arrays(path, tokens, lengths, np.array(facts, dtype=np.uint8))


def load_fixes(folder: Path, split: str) -> Fixes:
    """All examples of `train`, `valid` or `test`.

    Raises:
        BadInputError: There are none.
    """
    parts = [load_arrays(path) for path in _parts(folder, split)]
    tokens, lengths, facts = (np.concatenate(column) for column in zip(*parts, strict=True))
    ends = np.cumsum(lengths.sum(axis=1, dtype=np.int64))
    return Fixes(tokens, lengths, facts, ends - lengths.sum(axis=1, dtype=np.int64))


def save_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    (folder / VOCABULARY).write_text(json.dumps(asdict(vocabulary)) + "\n")


def load_vocabulary(folder: Path) -> Vocabulary:
    path = folder / VOCABULARY
    if not path.is_file():
        raise BadInputError(f"{folder} holds no {VOCABULARY}; apr train tokenizer writes it")
    return Vocabulary(**json.loads(path.read_text()))


def _parts(folder: Path, name: str) -> list[Path]:
    found = sorted(folder.glob(f"{name}-*.xz"))
    if not found:
        raise BadInputError(f"{folder} holds no {name}-*.xz; apr train pack writes it")
    return found
