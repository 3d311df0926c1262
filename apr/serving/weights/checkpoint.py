"""A model on disk, whichever way it was saved: one set of names for its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from apr.core.errors import BadInputError
from apr.serving.weights.gguf import GgufFile
from apr.serving.weights.shape import (
    ModelShape,
    check_architecture,
    shape_of_config,
)
from apr.serving.weights.vocabulary import (
    Vocabulary,
    read_json,
    vocabulary_of_folder,
    vocabulary_of_gguf,
)

GGUF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model ready to be loaded; `tensor` reads one by its Hugging Face name, on the CPU."""

    name: str
    shape: ModelShape
    vocabulary: Vocabulary
    tensors: frozenset[str]
    tensor: Callable[[str], torch.Tensor]


def open_checkpoint(path: Path) -> Checkpoint:
    """A folder of Hugging Face with safetensors, or a GGUF file.

    Raises:
        BadInputError: when it is neither, is damaged, or of an unknown family.
    """
    if path.is_dir():
        return _open_folder(path)
    if path.is_file():
        return _open_gguf(path)
    raise BadInputError(f"there is no model at {path}")


def _open_folder(folder: Path) -> Checkpoint:
    config = read_json(folder / "config.json")
    if not config:
        raise BadInputError(f"{folder} has no config.json")
    try:
        shape = shape_of_config(config)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"{folder / 'config.json'} describes no model: {error!r}") from None
    homes = _homes(folder)

    def tensor(name: str) -> torch.Tensor:
        with safe_open(homes[name], framework="pt") as file:
            found: torch.Tensor = file.get_tensor(name)
        return found

    return Checkpoint(
        folder.resolve().name, shape, vocabulary_of_folder(folder), frozenset(homes), tensor
    )


def _homes(folder: Path) -> dict[str, Path]:
    """The file that holds each tensor."""
    homes = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                homes.update(dict.fromkeys(file.keys(), path))
        except (SafetensorError, OSError) as error:
            raise BadInputError(f"{path} cannot be read: {error}") from None
    if not homes:
        raise BadInputError(f"{folder} has no *.safetensors")
    return homes


def _open_gguf(path: Path) -> Checkpoint:
    file = GgufFile(path)
    try:
        shape = _shape_of_gguf(file)
        vocabulary = vocabulary_of_gguf(file.metadata)
    except (KeyError, TypeError) as error:
        raise BadInputError(f"{path} lacks a part of the model: {error}") from None
    names = {_hugging_face_name(name): name for name in file.tensors}
    is_llama = file.metadata["general.architecture"] == "llama"

    def tensor(name: str) -> torch.Tensor:
        found = torch.from_numpy(file.tensor(names[name]))
        if is_llama and ".q_proj." in name:
            return _half_split(found, shape.heads)
        if is_llama and ".k_proj." in name:
            return _half_split(found, shape.kv_heads)
        return found

    return Checkpoint(path.stem, shape, vocabulary, frozenset(names), tensor)


def _hugging_face_name(name: str) -> str:
    inside = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if inside:
        return f"model.layers.{inside[1]}.{GGUF_NAMES.get(inside[2], inside[2])}.{inside[3]}"
    stem, _, kind = name.rpartition(".")
    return f"{GGUF_NAMES.get(stem, stem)}.{kind}"


def _half_split(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """Rotary pairs apart by half a head, as here, from neighbours, as GGUF has Llama's."""
    rest = tensor.shape[1:]
    return tensor.reshape(heads, -1, 2, *rest).transpose(1, 2).reshape(tensor.shape)


def _shape_of_gguf(file: GgufFile) -> ModelShape:
    """The shape that the metadata of a GGUF file describe."""
    metadata: Mapping[str, Any] = file.metadata
    kind = str(metadata["general.architecture"])
    check_architecture(kind)
    if (
        "rope_freqs.weight" in file.tensors
        or metadata.get(f"{kind}.rope.scaling.type", "none") != "none"
    ):
        raise BadInputError("GGUF files with rotary scaling: use the Hugging Face folder instead")
    width, heads = metadata[f"{kind}.embedding_length"], metadata[f"{kind}.attention.head_count"]
    return ModelShape(
        vocabulary=file.tensors["token_embd.weight"].shape[0],
        width=width,
        layers=metadata[f"{kind}.block_count"],
        heads=heads,
        kv_heads=metadata.get(f"{kind}.attention.head_count_kv", heads),
        head_width=metadata.get(f"{kind}.attention.key_length", width // heads),
        inner_width=metadata[f"{kind}.feed_forward_length"],
        max_positions=metadata[f"{kind}.context_length"],
        epsilon=metadata[f"{kind}.attention.layer_norm_rms_epsilon"],
        rope_base=metadata.get(f"{kind}.rope.freq_base", 10000.0),
    )
