"""A random decoder of a few thousand weights, saved as Hugging Face saves models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from apr.serving.network import Decoder
from apr.serving.weights.checkpoint import Checkpoint

WIDTH, LAYERS, HEADS, KV_HEADS, INNER, POSITIONS = 32, 2, 4, 2, 48, 512
MERGES = [("i", "n"), ("r", "e")]
START, END = "<|start|>", "<|end|>"
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def save_tiny_model(folder: Path, kind: str = "qwen2", seed: int = 0, **config: Any) -> Path:
    """A model folder that can be served; `kind` is its model type, `config` changes its numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _nearly_bytes()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary, end = tokenizer.get_vocab_size(), tokenizer.token_to_id(END)
    written = {**_config(kind, vocabulary, end), **config}
    (folder / "config.json").write_text(json.dumps(written))
    words = {"eos_token": END, "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    save_file(tiny_tensors(kind, vocabulary, seed), folder / "model.safetensors")
    return folder


def load_decoder(checkpoint: Checkpoint) -> Decoder:
    """In float32 on the CPU."""
    with torch.inference_mode():
        return Decoder(checkpoint, torch.device("cpu"), torch.float32, POSITIONS)


def _nearly_bytes() -> Tokenizer:
    words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, MERGES)]
    tokenizer = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(word, special=True) for word in (START, END)])
    return tokenizer


def _config(kind: str, vocabulary: int, end: int) -> dict[str, Any]:
    return {
        "architectures": [f"{kind.capitalize()}ForCausalLM"],
        "model_type": kind,
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": WIDTH // HEADS,
        "max_position_embeddings": POSITIONS,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": kind != "llama",
        "eos_token_id": end,
        "bos_token_id": None,
        "pad_token_id": None,
    }


def tiny_tensors(kind: str, vocabulary: int, seed: int) -> dict[str, torch.Tensor]:
    """Random weights, large enough for the logits to differ clearly."""
    random = torch.Generator().manual_seed(seed)

    def draw(*sizes: int, scale: float = 0.4) -> torch.Tensor:
        return torch.randn(*sizes, generator=random) * scale

    narrow = WIDTH // HEADS * KV_HEADS
    tensors = {
        "model.embed_tokens.weight": draw(vocabulary, WIDTH, scale=1.0),
        "model.norm.weight": 1 + draw(WIDTH, scale=0.1),
    }
    if kind == "llama":
        tensors["lm_head.weight"] = draw(vocabulary, WIDTH, scale=1.0)
    for layer in range(LAYERS):
        home = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{home}.{norm}.weight"] = 1 + draw(WIDTH, scale=0.1)
        for name, size in (("q", WIDTH), ("k", narrow), ("v", narrow), ("o", WIDTH)):
            tensors[f"{home}.self_attn.{name}_proj.weight"] = draw(size, WIDTH)
            if kind == "qwen2" and name != "o":
                tensors[f"{home}.self_attn.{name}_proj.bias"] = draw(size)
        if kind == "qwen3":
            for name in ("q_norm", "k_norm"):
                tensors[f"{home}.self_attn.{name}.weight"] = 1 + draw(WIDTH // HEADS, scale=0.1)
        for name in ("gate", "up"):
            tensors[f"{home}.mlp.{name}_proj.weight"] = draw(INNER, WIDTH)
        tensors[f"{home}.mlp.down_proj.weight"] = draw(WIDTH, INNER)
    return tensors
