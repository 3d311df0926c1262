"""Greedy token ids are those of transformers' own `generate` at batch 1, in float32."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from apr.serving.engine import Engine
from apr.serving.network import Decoder
from apr.serving.sequence import Sampling, Sequence
from apr.serving.slots import Passage, Passages, SlotCache
from apr.serving.weights.checkpoint import open_checkpoint
from support.tiny_model import load_decoder, save_tiny_model

transformers = pytest.importorskip("transformers")
NEW_TOKENS = 20
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("qwen2", {}),
        ("qwen3", {}),
        ("llama", {"rope_scaling": LLAMA3}),
        ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
    ],
)
def test_greedy_tokens_are_those_of_transformers(
    tmp_path: Path, kind: str, config: dict[str, Any]
) -> None:
    folder = save_tiny_model(tmp_path / "model", kind, **config)
    reference = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    checkpoint = open_checkpoint(folder)
    rng = Random(kind)
    lengths = (1, 2, 17, 64, 150)
    prompts = [tuple(rng.randrange(256) for _ in range(length)) for length in lengths]
    sequences = [Sequence(prompt, Sampling(NEW_TOKENS, 0.0)) for prompt in prompts]
    Engine(load_decoder(checkpoint), checkpoint.vocabulary, 3, 256).run(sequences)
    for sequence in sequences:
        given = torch.tensor([sequence.prompt])
        mask = torch.ones_like(given)
        end = checkpoint.vocabulary.ends[0]
        whole = reference.generate(
            given,
            attention_mask=mask,
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=end,
            eos_token_id=end,
        )
        assert sequence.tokens == whole[0, given.shape[1] :].tolist()


def test_prompts_read_side_by_side_are_kept_as_if_read_alone(decoder: Decoder) -> None:
    rng = Random(3)
    prompts = {2: 40, 0: 7, 4: 19}  # tokens of the prompt that goes into each slot
    tokens = {slot: [rng.randrange(256) for _ in range(n)] for slot, n in prompts.items()}
    alone, together = (
        SlotCache(decoder.shape, 5, 60, decoder.device, decoder.dtype) for _ in range(2)
    )
    with torch.inference_mode():
        for slot, count in prompts.items():
            decoder.hidden(torch.tensor([tokens[slot]]), Passage(alone, slot, 0, count))
        row = [token for slot in prompts for token in tokens[slot]]
        decoder.hidden(torch.tensor([row]), Passages(together, list(prompts.items())))
    assert torch.allclose(together.store, alone.store, atol=1e-5)
    assert all(alone.store[:, :, slot, :n].abs().min() > 0 for slot, n in prompts.items())
