"""Sentence embeddings, as MultiMend compares lines by, for whoever has such a model.

Any BERT-like encoder in a folder of transformers will do, such as all-MiniLM-L6-v2; it takes the
packages of the extra `serve`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from apr.core.errors import BadInputError, EnvironmentUnusableError

CLOSE = 0.5
"""The least cosine of two lines that have something to do with each other, as in MultiMend."""

BATCH = 64
MAX_TOKENS = 128

Vector = Sequence[float]


class Embedder(Protocol):
    """Turns texts into vectors of length 1 whose products say how alike they are."""

    def embed(self, texts: Sequence[str]) -> Sequence[Vector]: ...

    def __hash__(self) -> int: ...


def cosines(embedder: Embedder, query: str, texts: Sequence[str]) -> list[float]:
    """How alike the query and each text are, in [-1, 1]."""
    target, *vectors = embedder.embed([query, *texts])
    return [sum(map(operator.mul, target, vector)) for vector in vectors]


class SentenceEmbedder:
    """The mean of an encoder's last states over a text's tokens; texts are embedded once."""

    def __init__(self, folder: Path) -> None:
        """The model is loaded on first use."""
        self._folder = folder
        self._known: dict[str, Vector] = {}

    def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """See `Embedder.embed`.

        Raises:
            EnvironmentUnusableError: when the packages for it are not installed.
            BadInputError: when the folder holds no such model.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            self._known.update(zip(batch, self._encode(batch), strict=True))
        return [self._known[text] for text in texts]

    def _encode(self, texts: list[str]) -> list[Vector]:
        import torch

        tokenizer, model = self._loaded
        batch = tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return list(torch.nn.functional.normalize(means, dim=1).tolist())

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise EnvironmentUnusableError(
                f"embedding lines needs packages that are missing ({error.name}):"
                " install the extra serve"
            ) from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            model = AutoModel.from_pretrained(self._folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise BadInputError(f"{self._folder} holds no sentence encoder: {error}") from error
        return tokenizer, model.eval()
