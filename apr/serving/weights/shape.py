"""What a decoder is built of: the numbers that its tensors do not say by themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apr.core.errors import BadInputError

ARCHITECTURES = ("llama", "qwen2", "qwen3", "mistral")  # one family: RMSNorm, RoPE, GQA, SwiGLU


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How rotary frequencies are stretched; `llama3` as published with Llama 3.1."""

    kind: str = "default"
    factor: float = 1.0
    low: float = 1.0
    high: float = 4.0
    original_length: int = 8192

    def apply(self, frequency: float) -> float:
        """The frequency that is really used, in radians per position."""
        if self.kind == "default":
            return frequency
        if self.kind == "linear":
            return frequency / self.factor
        turns = self.original_length * frequency / (2 * math.pi)
        if turns < self.low:
            return frequency / self.factor
        if turns > self.high:
            return frequency
        smooth = (turns - self.low) / (self.high - self.low)
        return (1 - smooth) * frequency / self.factor + smooth * frequency


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a decoder; `max_positions` is the longest text it was made for, in tokens."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    inner_width: int
    max_positions: int
    epsilon: float
    rope_base: float
    rope_scaling: RopeScaling = RopeScaling()

    @property
    def group(self) -> int:
        """Query heads that share one key head."""
        return self.heads // self.kv_heads

    def rotary_frequencies(self) -> list[float]:
        """Radians per position, one for each pair of a head's components."""
        half = self.head_width // 2
        plain = (self.rope_base ** (-i / half) for i in range(half))
        return [self.rope_scaling.apply(frequency) for frequency in plain]


def shape_of_config(config: Mapping[str, Any]) -> ModelShape:
    """The shape that a `config.json` of Hugging Face describes.

    Raises:
        BadInputError: when it is of another family, or stretches positions in an unknown way.
    """
    kind = str(config.get("model_type"))
    check_architecture(kind)
    if config.get("use_sliding_window") or (kind == "mistral" and config.get("sliding_window")):
        raise BadInputError("the model attends to a sliding window, which apr serve cannot do")
    heads = int(config["num_attention_heads"])
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    return ModelShape(
        vocabulary=int(config["vocab_size"]),
        width=int(config["hidden_size"]),
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_width=int(config.get("head_dim") or config["hidden_size"] // heads),
        inner_width=int(config["intermediate_size"]),
        max_positions=int(config["max_position_embeddings"]),
        epsilon=float(config["rms_norm_eps"]),
        rope_base=float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
        rope_scaling=_scaling(rope),
    )


def check_architecture(kind: str) -> None:
    """Refuse what the decoder cannot compute."""
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise BadInputError(f"apr serve knows no model of type {kind!r}; it knows {known}")


def _scaling(rope: Mapping[str, Any]) -> RopeScaling:
    kind = str(rope.get("rope_type") or rope.get("type") or "default")
    if kind == "default":
        return RopeScaling()
    if kind == "linear":
        return RopeScaling("linear", float(rope["factor"]))
    if kind == "llama3":
        return RopeScaling(
            "llama3",
            float(rope["factor"]),
            float(rope["low_freq_factor"]),
            float(rope["high_freq_factor"]),
            int(rope["original_max_position_embeddings"]),
        )
    raise BadInputError(f"the model's rotary scaling {kind!r} is unknown to apr serve")
