"""A repair model as a folder: what is in it, what is known of it, and where it is found.

    model.json        the facts below
    tokenizer.json    a byte-level BPE of Hugging Face's tokenizers, without a prefix space
    model.bin, config.json, shared_vocabulary.json   CTranslate2, int8

A data package makes its folder known by an entry point of the group ENTRY_POINTS whose value is the
package's name; APR_SEQ2SEQ_MODEL names a folder and comes first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError
from apr.generation.seq2seq.format import LANGUAGES, SOURCE_TOKENS, TARGET_TOKENS, VERSION

KIND = "apr-seq2seq"
FACTS, TOKENIZER = "model.json", "tokenizer.json"
ENTRY_POINTS = "apr.seq2seq_models"
VARIABLE = "APR_SEQ2SEQ_MODEL"

Table = tuple[tuple[float, float], ...]
"""Pairs of a score and the probability in [0, 1] that such a candidate is right, by rising score;
between two of them it is interpolated."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What `model.json` says. `format` is the version of apr.generation.seq2seq.format.

    `calibration` has a Table for `seq2seq`, whose scores are the logarithms of whole answers'
    probabilities, and one for `template`, whose scores are those of its proposals. `training` is
    for readers: data, parameters, tokens, losses.
    """

    name: str
    version: str
    languages: tuple[str, ...] = LANGUAGES
    format: int = VERSION
    source_tokens: int = SOURCE_TOKENS
    target_tokens: int = TARGET_TOKENS
    calibration: Mapping[str, Table] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What a run remembers of the model it was made with."""
        return f"{self.name} {self.version}"


def render_facts(facts: Facts) -> str:
    """The text of a `model.json`."""
    return json.dumps({"kind": KIND, **asdict(facts)}, indent=1) + "\n"


def read_facts(folder: Path) -> Facts:
    """What a bundle says of itself.

    Raises:
        BadInputError: when the folder holds no bundle, or one for another version of APR.
    """
    try:
        document = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if document.pop("kind") != KIND:
            raise ValueError(f"its kind is not {KIND}")
        tables = document.pop("calibration", {})
        languages = tuple(document.pop("languages"))
        facts = Facts(
            **document, languages=languages, calibration={k: _table(t) for k, t in tables.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInputError(f"{folder} holds no repair model: {error}") from error
    if facts.format != VERSION:
        raise BadInputError(
            f"the repair model in {folder} reads format {facts.format}, this APR writes {VERSION}"
        )
    return facts


def _table(rows: Any) -> Table:
    return tuple(sorted((float(score), float(probability)) for score, probability in rows))


def find_bundle(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the model that is configured, or of the first installed one by name.

    Raises:
        BadInputError: when the configured folder is none.
    """
    configured = environment.get(VARIABLE)
    if configured:
        folder = Path(configured).expanduser()
        if not folder.is_dir():
            raise BadInputError(f"{VARIABLE} names no folder: {configured}")
        return folder
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        package = find_spec(entry.value)
        if package is not None and package.submodule_search_locations:
            return Path(next(iter(package.submodule_search_locations)))
    return None
