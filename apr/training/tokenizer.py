"""A byte-level BPE tokenizer for code; indentation and the end of a line are own tokens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from apr.generation.seq2seq.format import SPECIAL_TOKENS
from apr.training.corpus import TOKENIZER, Vocabulary, save_vocabulary

SIZE = 16384
PIECES = r"^[ \t]+|\n| ?[A-Za-z_$]+| ?[0-9]{1,3}| ?[^\sA-Za-z_$0-9]{1,8}|[ \t]+|\s"
"""Never merged: the end of a line with what follows, and words with signs."""


def train_tokenizer(texts: Iterable[str], size: int = SIZE) -> Any:
    """A tokenizer of `size` tokens, the special ones first."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(folder: Path, tokenizer: Any) -> None:
    """Write it, and what training has to know of it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / TOKENIZER))
    (line_end,) = tokenizer.encode("\n").ids
    save_vocabulary(folder, Vocabulary(tokenizer.get_vocab_size(), line_end))


def load_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / TOKENIZER))
