"""A repair model in the shape of the real one that has learnt a few answers by heart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from apr.generation.seq2seq.bundle import FACTS, TOKENIZER, Facts, Table, render_facts
from apr.generation.seq2seq.format import END, PAD, SPECIAL_TOKENS, START

FACTS_OF_IT = Facts("tiny", "1", training={"steps": 0})
TEXT = "def total(items):\n    return sum(items) + 1\n\n\nint x = a - b;\n"


def make_tokenizer() -> Any:
    """A byte-level vocabulary with hardly a merge."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def make_network(tokenizer: Any, lessons: Mapping[str, str], steps: int = 120) -> Any:
    """A T5 of two layers that was taught to answer the sources of `lessons` with their targets."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    torch.set_num_threads(1)  # so small a network only waits for other threads
    shape = T5Config(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=tokenizer.token_to_id(PAD),
        eos_token_id=tokenizer.token_to_id(END),
        decoder_start_token_id=tokenizer.token_to_id(START),
    )
    network = T5ForConditionalGeneration(shape)
    batch = make_batch(tokenizer, lessons)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        network(**batch).loss.backward()
        optimizer.step()
    return network.eval()


def make_batch(tokenizer: Any, lessons: Mapping[str, str]) -> dict[str, Any]:
    """Sources and targets with their ends, as numbers."""
    import torch

    def numbers(texts: Iterable[str], filling: int) -> Any:
        rows = [tokenizer.encode(text + END, add_special_tokens=False).ids for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [filling] * (longest - len(row)) for row in rows])

    padding = tokenizer.token_to_id(PAD)
    sources = numbers(lessons, padding)
    return {
        "input_ids": sources,
        "attention_mask": (sources != padding).long(),
        "labels": numbers(lessons.values(), -100),
    }


def make_bundle(
    folder: Path,
    tokenizer: Any,
    network: Any,
    quantization: str | None = "int8",
    **calibration: Table,
) -> Path:
    """Convert the network and put all files of a bundle into a new folder."""
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast

    source = folder.parent / f"{folder.name}-transformers"
    network.save_pretrained(source)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=START, eos_token=END, unk_token=PAD
    )
    wrapped.save_pretrained(source)
    TransformersConverter(str(source)).convert(str(folder), quantization=quantization)
    tokenizer.save(str(folder / TOKENIZER))
    facts = replace(FACTS_OF_IT, calibration=calibration)
    (folder / FACTS).write_text(render_facts(facts))
    return folder
