"""The decoder: embeddings, layers of attention and SwiGLU, and logits, in plain torch.

It computes what Qwen2, Qwen3, Llama and Mistral checkpoints mean. Where keys and values are kept,
and what a token may see, is the business of the `View` it is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from apr.core.errors import BadInputError
from apr.serving.slots import View
from apr.serving.weights.checkpoint import Checkpoint
from apr.serving.weights.shape import ModelShape


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer; those that are multiplied with the same input lie in one matrix."""

    input_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    query_norm: Tensor | None
    key_norm: Tensor | None
    output: Tensor
    inner_norm: Tensor
    gate_up: Tensor
    down: Tensor


class Decoder:
    """A model's weights on one device, in one type."""

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype, length: int
    ) -> None:
        """`length`: the longest text that will be met, in tokens."""
        self.shape = checkpoint.shape
        self.device = device
        self.dtype = dtype
        load = _Loader(checkpoint, device, dtype)
        self._embeddings = load("model.embed_tokens.weight")
        self._layers = [load.layer(i) for i in range(self.shape.layers)]
        self._norm = load("model.norm.weight")
        tied = "lm_head.weight" not in checkpoint.tensors
        self._head = self._embeddings if tied else load("lm_head.weight")
        self._cosines, self._sines = _rotations(self.shape, length, device, dtype)

    @property
    def weight_bytes(self) -> int:
        """What one decoding step has to read; the embeddings count once."""
        layers = (
            tensor
            for layer in self._layers
            for tensor in (layer.qkv, layer.output, layer.gate_up, layer.down)
        )
        return sum(t.numel() * t.element_size() for t in (*layers, self._head))

    def hidden(self, tokens: Tensor, view: View) -> Tensor:
        """What it makes of `tokens` [rows, n] at the view's positions, [rows, n, width]."""
        state = functional.embedding(tokens, self._embeddings)
        cosines = functional.embedding(view.positions, self._cosines).unsqueeze(2)
        sines = functional.embedding(view.positions, self._sines).unsqueeze(2)
        for index, layer in enumerate(self._layers):
            normal = self._normal(state, layer.input_norm)
            state = state + self._attention(index, layer, normal, (cosines, sines), view)
            normal = self._normal(state, layer.inner_norm)
            gate, up = functional.linear(normal, layer.gate_up).chunk(2, dim=-1)
            state = state + functional.linear(functional.silu(gate) * up, layer.down)
        return state

    def logits(self, state: Tensor) -> Tensor:
        """Scores of every word of the vocabulary, [..., vocabulary], in the model's own type."""
        return functional.linear(self._normal(state, self._norm), self._head)

    def _normal(self, state: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(state, weight.shape, weight, self.shape.epsilon)

    def _attention(
        self,
        index: int,
        layer: Layer,
        normal: Tensor,
        rotation: tuple[Tensor, Tensor],
        view: View,
    ) -> Tensor:
        shape = self.shape
        joint = functional.linear(normal, layer.qkv, layer.qkv_bias)
        joint = joint.view(*normal.shape[:2], -1, shape.head_width)
        turned, values = torch.split(joint, [shape.heads + shape.kv_heads, shape.kv_heads], dim=2)
        if layer.query_norm is not None and layer.key_norm is not None:
            queries, keys = torch.split(turned, [shape.heads, shape.kv_heads], dim=2)
            queries = self._normal(queries, layer.query_norm)
            turned = torch.cat([queries, self._normal(keys, layer.key_norm)], dim=2)
        turned = _rotate(turned, *rotation)
        queries, keys = torch.split(turned, [shape.heads, shape.kv_heads], dim=2)
        view.write(index, keys, values)
        return functional.linear(view.attend(index, queries).flatten(2), layer.output)


def _rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn each pair of components that lie half a head apart; `sines` carry the sign."""
    half = heads.shape[-1] // 2
    return heads * cosines + heads.roll(half, -1) * sines


def _rotations(
    shape: ModelShape, length: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines for every position, [length, head width]."""
    rates = torch.tensor(shape.rotary_frequencies(), dtype=torch.float32)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * rates[None, :]
    cosines, sines = angles.cos(), angles.sin()
    both = torch.cat([cosines, cosines], dim=1), torch.cat([-sines, sines], dim=1)
    return both[0].to(device, dtype), both[1].to(device, dtype)


class _Loader:
    """Moves tensors of a checkpoint to where they are used."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self._checkpoint = checkpoint
        self._device = device
        self._dtype = dtype

    def __call__(self, *names: str) -> Tensor:
        """The tensors below each other, as one."""
        missing = [name for name in names if name not in self._checkpoint.tensors]
        if missing:
            raise BadInputError(f"the model {self._checkpoint.name} lacks the tensor {missing[0]}")
        parts = [self._checkpoint.tensor(name).to(self._device, self._dtype) for name in names]
        return parts[0].contiguous() if len(parts) == 1 else torch.cat(parts)

    def _optional(self, *names: str) -> Tensor | None:
        return self(*names) if names[0] in self._checkpoint.tensors else None

    def layer(self, index: int) -> Layer:
        home = f"model.layers.{index}"
        attention, inner = f"{home}.self_attn", f"{home}.mlp"
        projections = [f"{attention}.{letter}_proj" for letter in "qkv"]
        return Layer(
            input_norm=self(f"{home}.input_layernorm.weight"),
            qkv=self(*(f"{name}.weight" for name in projections)),
            qkv_bias=self._optional(*(f"{name}.bias" for name in projections)),
            query_norm=self._optional(f"{attention}.q_norm.weight"),
            key_norm=self._optional(f"{attention}.k_norm.weight"),
            output=self(f"{attention}.o_proj.weight"),
            inner_norm=self(f"{home}.post_attention_layernorm.weight"),
            gate_up=self(f"{inner}.gate_proj.weight", f"{inner}.up_proj.weight"),
            down=self(f"{inner}.down_proj.weight"),
        )
