"""From mined and injected examples to the files of a training: checked, split and tokenized."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from apr.generation.seq2seq.format import LANGUAGES, SOURCE_TOKENS, TARGET_TOKENS
from apr.training.corpus import EDITS, ORIGINS, Ids, save_code, save_fixes
from apr.training.decontamination import Contamination, is_subject
from apr.training.examples import Example, SourceFile

TRAIN, VALID, TEST = "train", "valid", "test"
BATCH = 2000
"""Texts tokenized at once."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is packed, and how many examples were refused, by reason."""

    count: Counter[tuple[str, ...]]
    refused: Counter[str]


def split_projects(languages: Mapping[str, str]) -> dict[str, str]:
    """The split of each project, given its main language: two of every language are held out.

    Which ones depends on their names alone, by a hash.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for project, language in languages.items():
        groups[language].append(project)
    found = dict.fromkeys(languages, TRAIN)
    for projects in groups.values():
        ranked = sorted(projects, key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(ranked) > 4:
            found[ranked[0]], found[ranked[1]] = TEST, VALID
    return found


def clean(
    examples: Iterable[Example], contamination: Contamination, refused: Counter[str]
) -> Iterator[Example]:
    """The examples that may be used, each once; `refused` counts the others."""
    seen: set[bytes] = set()
    for example in examples:
        key = hashlib.sha256(f"{example.source}\0{example.target}".encode()).digest()[:12]
        reason = "duplicate" if key in seen else None
        reason = reason or ("subject" if is_subject(example.project) else None)
        reason = reason or contamination.refuses(example.source, example.function)
        reason = reason or contamination.refuses(example.target)
        if reason:
            refused[reason] += 1
            continue
        seen.add(key)
        yield example


def encode_examples(
    tokenizer: Any, examples: Iterable[Example], refused: Counter[str]
) -> Iterator[tuple[Example, tuple[Ids, Ids]]]:
    """The examples with their token ids; those that are too long are refused."""
    iterator = iter(examples)
    while batch := list(islice(iterator, BATCH)):
        sources = tokenizer.encode_batch([example.source for example in batch])
        answers = tokenizer.encode_batch([example.target for example in batch])
        for example, source, answer in zip(batch, sources, answers, strict=True):
            if len(source.ids) < SOURCE_TOKENS and len(answer.ids) < TARGET_TOKENS:
                yield example, (_ids(source.ids), _ids(answer.ids))
            else:
                refused["too long"] += 1


def pack_examples(
    path: Path, tokenizer: Any, examples: Iterable[Example], refused: Counter[str]
) -> Counter[tuple[str, ...]]:
    """Write examples as a file of fixes; their number by language, origin, edit and detail."""
    pairs, facts, count = [], [], Counter[tuple[str, ...]]()
    for example, pair in encode_examples(tokenizer, examples, refused):
        pairs.append(pair)
        facts.append(
            (
                LANGUAGES.index(example.language),
                ORIGINS.index(example.origin),
                EDITS.index(example.edit),
            )
        )
        count[example.language, example.origin, example.edit, example.detail] += 1
    if pairs:
        save_fixes(path, pairs, facts)
    return count


def pack_code(
    path: Path, tokenizer: Any, files: Sequence[SourceFile], contamination: Contamination
) -> Counter[str]:
    """Write source files as a file of code; their tokens by language, and how many were refused."""
    kept = [file for file in files if contamination.refuses_file(file.text) is None]
    count = Counter(refused=len(files) - len(kept))
    ids: list[Ids] = []
    for start in range(0, len(kept), BATCH // 10):
        texts = [file.text for file in kept[start : start + BATCH // 10]]
        ids += [_ids(found.ids) for found in tokenizer.encode_batch(texts)]
    for file, tokens in zip(kept, ids, strict=True):
        count[file.language] += len(tokens)
    save_code(path, ids, [LANGUAGES.index(file.language) for file in kept])
    return count


def sample(texts: Iterable[str], share: float, seed: int = 0) -> Iterator[str]:
    """A random part of some texts."""
    random = Random(seed)
    return (text for text in texts if random.random() < share)


def _ids(found: Sequence[int]) -> Ids:
    return np.array(found, dtype=np.uint16)
