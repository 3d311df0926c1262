"""Exact match on held-out fixes: is the developers' answer among the first 1, 10, 100 of a beam?"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from apr.core.errors import BadInputError
from apr.generation.seq2seq.format import END, LANGUAGES, PAD, START
from apr.training.checkpoint import load_checkpoint
from apr.training.corpus import EDITS, IDS, ORIGINS, TOKENIZER, Array, Fixes, load_fixes
from apr.training.export import save_folder
from apr.training.t5 import T5

AT = (1, 10, 100)


@dataclass(frozen=True, slots=True)
class Found:
    """Of one example: at which place of the beam, from 1, the answer was; None if nowhere."""

    language: str
    origin: str
    edit: str
    rank: int | None


def evaluate(
    checkpoint: Path, data: Path, split: str, origin: str, count: int, beams: int, batch: int = 0
) -> list[Found]:
    """Search the answers of `count` examples chosen at random, with `beams` beams.

    Raises:
        BadInputError: There is no checkpoint, or there are no such examples.
    """
    found = load_checkpoint(checkpoint)
    if found is None:
        raise BadInputError(f"{checkpoint} holds no checkpoint; apr train run writes it")
    fixes = load_fixes(data, split)
    numbers = np.flatnonzero(fixes.facts[:, 1] == ORIGINS.index(origin))
    if not len(numbers):
        raise BadInputError(f"{data} holds no {origin} examples to {split} with")
    chosen = np.random.default_rng(0).permutation(numbers)[:count].tolist()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with TemporaryDirectory() as scratch:
        model = _as_transformers(found.model, data / TOKENIZER, Path(scratch)).to(device)
    return list(_search(model, fixes, chosen, beams, batch or max(640 // beams, 1), device))


def table(found: Iterable[Found], beams: int) -> list[dict[str, Any]]:
    """Exact match at 1, 10 and 100, as far as the beam reaches, of all and by kind."""
    groups: defaultdict[str, list[int | None]] = defaultdict(list)
    for one in found:
        for name in ("all", one.language, one.edit, f"{one.language} {one.edit}"):
            groups[name].append(one.rank)
    return [
        {
            "group": name,
            "examples": len(ranks),
            **{
                f"at_{most}": sum(rank is not None and rank <= most for rank in ranks) / len(ranks)
                for most in AT
                if most <= beams
            },
        }
        for name, ranks in sorted(groups.items())
    ]


def save_evaluation(path: Path, found: Sequence[Found], about: Mapping[str, Any]) -> None:
    """Write the table and every example's rank, which a calibration can be made of."""
    rows = [asdict(one) for one in found]
    beams = int(about["beams"])
    document = {**about, "table": table(found, beams), "found": rows}
    path.write_text(json.dumps(document) + "\n")


def _search(
    model: Any, fixes: Fixes, chosen: list[int], beams: int, batch: int, device: torch.device
) -> Iterator[Found]:
    # Equally long inputs together, since padding takes time too.
    ordered = sorted(chosen, key=lambda number: int(fixes.lengths[number, 0]))
    for start in range(0, len(ordered), batch):
        numbers = ordered[start : start + batch]
        pairs = [fixes.pair(number) for number in numbers]
        answers = _generate(model, [source for source, _ in pairs], beams, device)
        for number, (_, answer), beam in zip(numbers, pairs, answers, strict=True):
            language, origin, edit = (int(fact) for fact in fixes.facts[number])
            yield Found(LANGUAGES[language], ORIGINS[origin], EDITS[edit], rank_of(answer, beam))


def rank_of(answer: Array, beam: Sequence[Sequence[int]]) -> int | None:
    """At which place, from 1, a beam has an answer."""
    wanted = answer.tolist()
    return next((place for place, found in enumerate(beam, 1) if list(found) == wanted), None)


@torch.inference_mode()
def _generate(
    model: Any, sources: Sequence[Array], beams: int, device: torch.device
) -> list[list[list[int]]]:
    """The answers to each source, the likeliest first, without START, END and padding."""
    longest = max(len(source) for source in sources) + 1
    ids = torch.full((len(sources), longest), IDS[PAD])
    for row, source in enumerate(sources):
        ids[row, : len(source)] = torch.from_numpy(source.astype(np.int64))
        ids[row, len(source)] = IDS[END]
    written = model.generate(
        input_ids=ids.to(device),
        attention_mask=(ids != IDS[PAD]).long().to(device),
        num_beams=beams,
        num_return_sequences=beams,
        max_new_tokens=200,
        do_sample=False,
        length_penalty=0.0,
        early_stopping=True,
    )
    found = [_bare(row) for row in written.tolist()]
    return [found[start : start + beams] for start in range(0, len(found), beams)]


def _bare(row: list[int]) -> list[int]:
    body = row[1:] if row[:1] == [IDS[START]] else row
    return body[: body.index(IDS[END])] if IDS[END] in body else body


def _as_transformers(model: T5, tokenizer: Path, scratch: Path) -> Any:
    from transformers import T5ForConditionalGeneration

    save_folder(model, tokenizer, scratch)
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    return T5ForConditionalGeneration.from_pretrained(scratch).to(dtype).eval()
