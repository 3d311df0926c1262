"""From selected sources and fixes to arrays of token ids, with bugs injected on the way.

Needs neither git nor a network: the machine with the GPU can do it with all its processors.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from apr.generation.seq2seq.format import LANGUAGES, SOURCE_TOKENS, TARGET_TOKENS
from apr.training.corpus import (
    EDITS,
    ORIGINS,
    TOKENIZER,
    VOCABULARY,
    Ids,
    load_vocabulary,
    save_code,
    save_fixes,
)
from apr.training.examples import SPLITS, Example, SourceFile, load_examples, load_sources
from apr.training.injection import inject
from apr.training.tokenizer import load_tokenizer

FILES = 60
"""Source files of one piece of work."""

_HEADER = re.compile(r"\s*(?:/\*.*?\*/\s*|(?:(?://|#(?!include|define|if))[^\n]*\n)+\s*)", re.S)
_LEGAL = re.compile("copyright|licen[cs]e", re.I)

Encoded = tuple[list[tuple[Ids, Ids]], list[tuple[int, int, int]], Counter[str]]


def pack(
    selected: Path,
    output: Path,
    parts: Sequence[str],
    workers: int,
    rounds: int = 1,
    held_out: int = 20_000,
) -> Iterator[str]:
    """Write the wanted parts into `output`, with the tokenizer; a line about each.

    Raises:
        BadInputError: There is no tokenizer yet.
    """
    output.mkdir(parents=True, exist_ok=True)
    load_vocabulary(selected)
    for name in (TOKENIZER, VOCABULARY):
        shutil.copy(selected / name, output / name)
    if "code" in parts:
        yield f"code: {pack_code(selected, output, workers)} tokens"
    if "mined" in parts:
        for split in SPLITS:
            yield f"{split}, mined: {dict(pack_mined(selected, output, split))}"
    if "held-out" in parts:
        for split in SPLITS[1:]:
            count = pack_injected(selected, output, split, workers, most=held_out)
            yield f"{split}, injected: {dict(count)}"
    if "injected" in parts:
        count = pack_injected(selected, output, SPLITS[0], workers, rounds)
        yield f"{SPLITS[0]}, injected: {dict(count)}"


def training_texts(selected: Path, share: float) -> Iterator[str]:
    """A random part of the training code, for the tokenizer."""
    random = Random(0)
    sources = load_sources(selected / "train.sources.xz")
    return (file.text for file in sources if random.random() < share)


def pack_code(selected: Path, output: Path, workers: int) -> int:
    """Write the training sources as `code-00.xz`; the number of tokens."""
    ids: list[Ids] = []
    languages: list[int] = []
    with _pool(workers, selected) as pool:
        for found in pool.map(_encode_files, _batches(load_sources(selected / "train.sources.xz"))):
            for language, tokens in found:
                languages.append(language)
                ids.append(tokens)
    save_code(output / "code-00.xz", ids, languages)
    return sum(map(len, ids))


def pack_mined(selected: Path, output: Path, split: str) -> Counter[str]:
    """Write the mined examples of a split as `SPLIT-mined.xz`; their number by facts."""
    _start(selected)
    encoded = _encode(load_examples(selected / f"{split}.mined.xz"))
    return _save(output / f"{split}-mined.xz", [encoded])


def pack_injected(
    selected: Path, output: Path, split: str, workers: int, rounds: int = 1, most: int = 10**9
) -> Counter[str]:
    """Inject bugs into a split's sources `rounds` times; about `most` examples are kept."""
    count: Counter[str] = Counter()
    for number in range(rounds):
        sources = _batches(load_sources(selected / f"{split}.sources.xz"))
        parts: list[Encoded] = []
        with _pool(workers, selected) as pool:
            for encoded in pool.map(_inject_all, ((number, files) for files in sources)):
                parts.append(encoded)
                if sum(len(part[0]) for part in parts) > most:
                    break
        count += _save(output / f"{split}-injected-{number}.xz", parts)
    return count


def _pool(workers: int, selected: Path) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max(workers, 1), get_context("forkserver"), initializer=_start_alone, initargs=(selected,)
    )


def _batches(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    iterator = iter(files)
    while batch := list(islice(iterator, FILES)):
        yield batch


_state: dict[str, Any] = {}


def _start(selected: Path) -> None:
    """What each process needs once."""
    _state["tokenizer"] = load_tokenizer(selected)


def _start_alone(selected: Path) -> None:
    """The same for a process that is one of several: it leaves the other processors to them."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _start(selected)


def _encode_files(files: Sequence[SourceFile]) -> list[tuple[int, Ids]]:
    found = _state["tokenizer"].encode_batch([without_header(file.text) for file in files])
    return [
        (LANGUAGES.index(file.language), np.array(one.ids, dtype=np.uint16))
        for file, one in zip(files, found, strict=True)
    ]


def without_header(text: str) -> str:
    """A file without the comment with its licence, which thousands of others begin with too."""
    found = _HEADER.match(text)
    return text[found.end() :] if found and _LEGAL.search(found[0]) else text


def _inject_all(work: tuple[int, Sequence[SourceFile]]) -> Encoded:
    seed, files = work
    return _encode(
        example
        for file in files
        for example in inject(file, Random(f"{seed}/{file.project}/{file.path}"))
    )


def _encode(examples: Iterable[Example]) -> Encoded:
    """Token ids, facts and numbers of the examples that are short enough."""
    iterator = iter(examples)
    pairs: list[tuple[Ids, Ids]] = []
    facts: list[tuple[int, int, int]] = []
    count: Counter[str] = Counter()
    while batch := list(islice(iterator, 1000)):
        sources = _state["tokenizer"].encode_batch([example.source for example in batch])
        answers = _state["tokenizer"].encode_batch([example.target for example in batch])
        for example, source, answer in zip(batch, sources, answers, strict=True):
            if len(source.ids) >= SOURCE_TOKENS or len(answer.ids) >= TARGET_TOKENS:
                count["too long"] += 1
                continue
            pairs.append((np.array(source.ids, np.uint16), np.array(answer.ids, np.uint16)))
            facts.append(
                (
                    LANGUAGES.index(example.language),
                    ORIGINS.index(example.origin),
                    EDITS.index(example.edit),
                )
            )
            count[f"{example.language} {example.origin} {example.edit}"] += 1
    return pairs, facts, count


def _save(path: Path, parts: Sequence[Encoded]) -> Counter[str]:
    pairs = [pair for part in parts for pair in part[0]]
    if pairs:
        save_fixes(path, pairs, [fact for part in parts for fact in part[1]])
    return sum((part[2] for part in parts), Counter())
