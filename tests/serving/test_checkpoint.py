"""Models on disk: folders and GGUF files hold the same model, and damage is told in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apr.core.errors import BadInputError
from apr.serving.weights.checkpoint import GGUF_NAMES, Checkpoint, open_checkpoint
from support.gguf_file import plain, write_gguf
from support.tiny_model import END, MERGES, START, TEMPLATE, save_tiny_model


def metadata(checkpoint: Checkpoint, kind: str) -> dict[str, Any]:
    shape = checkpoint.shape
    words = json.loads(checkpoint.vocabulary._tokenizer.to_str())["model"]["vocab"]
    tokens = [*sorted(words, key=words.__getitem__), START, END]
    return {
        "general.architecture": kind,
        f"{kind}.block_count": shape.layers,
        f"{kind}.embedding_length": shape.width,
        f"{kind}.feed_forward_length": shape.inner_width,
        f"{kind}.context_length": shape.max_positions,
        f"{kind}.attention.head_count": shape.heads,
        f"{kind}.attention.head_count_kv": shape.kv_heads,
        f"{kind}.attention.layer_norm_rms_epsilon": shape.epsilon,
        f"{kind}.rope.freq_base": shape.rope_base,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * len(words) + [3, 3],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in MERGES],
        "tokenizer.ggml.eos_token_id": len(tokens) - 1,
        "tokenizer.chat_template": TEMPLATE,
    }


def gguf_name(name: str) -> str:
    """The name that GGUF gives a tensor of Hugging Face."""
    back = {value: key for key, value in GGUF_NAMES.items()}
    stem, _, kind = name.rpartition(".")
    if not stem.startswith("model.layers."):
        return f"{back[stem]}.{kind}"
    layer, rest = stem.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{back[rest]}.{kind}"


def neighbours(tensor: np.ndarray, heads: int) -> np.ndarray:
    """Rotary pairs side by side, as llama.cpp's converter leaves them."""
    rest = tensor.shape[1:]
    return tensor.reshape(heads, 2, -1, *rest).swapaxes(1, 2).reshape(tensor.shape)


@pytest.mark.parametrize("kind", ["qwen2", "llama", "qwen3"])
def test_a_gguf_file_holds_the_same_model_as_the_folder(tmp_path: Path, kind: str) -> None:
    folder = open_checkpoint(save_tiny_model(tmp_path / "model", kind))
    tensors = {}
    for name in folder.tensors:
        array = folder.tensor(name).numpy()
        if kind == "llama" and ("q_proj" in name or "k_proj" in name):
            shape = folder.shape
            array = neighbours(array, shape.heads if "q_proj" in name else shape.kv_heads)
        tensors[gguf_name(name)] = plain(array)
    path = write_gguf(tmp_path / "model.gguf", metadata(folder, kind), tensors)
    found = open_checkpoint(path)
    assert found.shape.vocabulary == folder.shape.vocabulary
    assert found.tensors == folder.tensors
    for name in folder.tensors:
        assert torch.equal(found.tensor(name), folder.tensor(name)), name
    assert found.vocabulary.ends == folder.vocabulary.ends
    text = found.vocabulary.render_chat([{"role": "user", "content": "naïve\n\tif x in re:"}])
    assert found.vocabulary.encode(text, is_rendered=True) == folder.vocabulary.encode(
        text, is_rendered=True
    )


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def scramble(path: Path) -> None:
    path.write_bytes(b"GGUF" + bytes(range(256)) * 4)


@pytest.mark.parametrize("damage", [cut, scramble])
def test_a_damaged_gguf_file_is_told_in_a_sentence(
    checkpoint: Checkpoint, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    tensors = {
        gguf_name(name): plain(checkpoint.tensor(name).numpy()) for name in checkpoint.tensors
    }
    path = write_gguf(tmp_path / "model.gguf", metadata(checkpoint, "qwen2"), tensors)
    damage(path)
    with pytest.raises(BadInputError, match=r"model\.gguf"):
        damaged = open_checkpoint(path)
        for name in damaged.tensors:
            damaged.tensor(name)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def with_broken_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def with_broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def of_another_family(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))


def without_sizes(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_weights, "no *.safetensors"),
        (with_broken_weights, "cannot be read"),
        (without_tokenizer, "no tokenizer.json"),
        (without_config, "no config.json"),
        (with_broken_config, "cannot be read"),
        (of_another_family, "'bert'"),
        (without_sizes, "describes no model"),
    ],
)
def test_a_damaged_folder_is_told_in_a_sentence(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    folder = save_tiny_model(tmp_path / "model")
    damage(folder)
    with pytest.raises(BadInputError) as caught:
        open_checkpoint(folder)
    assert said in str(caught.value)


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no model at"):
        open_checkpoint(tmp_path / "nothing")
