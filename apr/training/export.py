"""A trained model in small pieces for the way home, and as folders that others read.

In int8 every row of a matrix has a scale of its own, the largest weight becoming 127: just what
CTranslate2 does with it later, so nothing is lost on the way to the CPU.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from apr.core.errors import BadInputError
from apr.generation.seq2seq.format import END, PAD, START, VERSION
from apr.training.checkpoint import load_checkpoint
from apr.training.corpus import IDS, TOKENIZER, Array
from apr.training.t5 import T5, Shape

MANIFEST = "export.json"
PIECE_MIB = 15
PRECISIONS = ("int8", "float16", "float32")


def export(
    checkpoint: Path, output: Path, precision: str = "int8", piece_mib: int = PIECE_MIB
) -> dict[str, Any]:
    """Write the weights in pieces of at most `piece_mib`, and a manifest.

    Raises:
        BadInputError: There is no checkpoint.
    """
    found = load_checkpoint(checkpoint)
    if found is None:
        raise BadInputError(f"{checkpoint} holds no checkpoint; apr train run writes it")
    blob = io.BytesIO()
    np.savez(blob, **_packed(found.model.state_dict(), precision))
    data, size = blob.getvalue(), piece_mib << 20
    output.mkdir(parents=True, exist_ok=True)
    names = []
    for number, start in enumerate(range(0, len(data), size)):
        names.append(f"weights.{number:02d}")
        (output / names[-1]).write_bytes(data[start : start + size])
    manifest = {
        "shape": asdict(found.model.shape),
        "parameters": sum(weight.numel() for weight in found.model.parameters()),
        "precision": precision,
        "progress": asdict(found.progress),
        "format": VERSION,
        "pieces": names,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    (output / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def join(folder: Path) -> tuple[T5, dict[str, Any]]:
    """The model in an export, and the manifest.

    Raises:
        BadInputError: A piece is missing or not as it was written.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        data = b"".join((folder / name).read_bytes() for name in manifest["pieces"])
    except OSError as error:
        raise BadInputError(f"{folder} holds no whole export: {error}") from error
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise BadInputError(f"the pieces in {folder} do not belong together")
    model = T5(Shape(**manifest["shape"]))
    with np.load(io.BytesIO(data)) as arrays:
        model.load_state_dict(_unpacked(arrays))
    return model, manifest


def save_folder(model: T5, tokenizer: Path, output: Path) -> None:
    """A folder as `transformers` reads it."""
    from safetensors.torch import save_file

    output.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, output / "model.safetensors", {"format": "pt"})
    (output / "config.json").write_text(json.dumps(_config(model.shape), indent=1) + "\n")
    shutil.copy(tokenizer, output / TOKENIZER)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "unk_token": PAD,
        "bos_token": START,
        "eos_token": END,
    }
    (output / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def load_folder(folder: Path) -> T5:
    """A T5 or CodeT5 checkpoint as `transformers` has it, to train it further.

    Raises:
        BadInputError: It is none, or of another architecture.
    """
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "config.json").read_text())
        if config["model_type"] != "t5":
            raise BadInputError(f"{folder} holds a {config['model_type']}, only T5 can be trained")
        path = folder / "model.safetensors"
        state = load_file(path) if path.exists() else _load_pickle(folder)
    except (OSError, KeyError, ValueError) as error:
        raise BadInputError(f"{folder} holds no model: {error}") from error
    model = T5(shape_of(config))
    wanted = model.state_dict()
    model.load_state_dict({name: state[name] for name in wanted})
    return model


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The sizes in a `config.json`."""
    layers = config["num_layers"]
    return Shape(
        vocabulary=config["vocab_size"],
        width=config["d_model"],
        heads=config["num_heads"],
        head_width=config["d_kv"],
        inner=config["d_ff"],
        encoder_layers=layers,
        decoder_layers=config.get("num_decoder_layers") or layers,
        buckets=config.get("relative_attention_num_buckets", 32),
        distance=config.get("relative_attention_max_distance", 128),
        gated="gated" in config.get("feed_forward_proj", "relu"),
        tied=config.get("tie_word_embeddings", True),
        epsilon=config.get("layer_norm_epsilon", 1e-6),
    )


def _config(shape: Shape) -> dict[str, Any]:
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "vocab_size": shape.vocabulary,
        "d_model": shape.width,
        "num_heads": shape.heads,
        "d_kv": shape.head_width,
        "d_ff": shape.inner,
        "num_layers": shape.encoder_layers,
        "num_decoder_layers": shape.decoder_layers,
        "relative_attention_num_buckets": shape.buckets,
        "relative_attention_max_distance": shape.distance,
        "feed_forward_proj": "gated-gelu" if shape.gated else "relu",
        "tie_word_embeddings": shape.tied,
        "layer_norm_epsilon": shape.epsilon,
        "dropout_rate": 0.0,
        "is_encoder_decoder": True,
        "pad_token_id": IDS[PAD],
        "eos_token_id": IDS[END],
        "decoder_start_token_id": IDS[START],
    }


def _packed(state: Mapping[str, torch.Tensor], precision: str) -> dict[str, Any]:
    packed: dict[str, Any] = {}
    for name, tensor in state.items():
        weight = tensor.float().cpu().numpy()
        if precision == "int8" and weight.ndim == 2 and "bias" not in name:
            scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-12) / 127
            packed[name] = np.rint(weight / scale).astype(np.int8)
            packed[name + ".scale"] = scale.astype(np.float32)
        else:
            is_half = precision == "float16" and weight.ndim == 2
            packed[name] = weight.astype(np.float16) if is_half else weight
    return packed


def _unpacked(arrays: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    state = {}
    for name in arrays:
        if name.endswith(".scale"):
            continue
        weight = arrays[name].astype(np.float32)
        scale = name + ".scale"
        state[name] = torch.from_numpy(weight * arrays[scale] if scale in arrays else weight)
    return state


def _load_pickle(folder: Path) -> dict[str, torch.Tensor]:
    path = folder / "pytorch_model.bin"
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
