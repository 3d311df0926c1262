"""The decoder: embeddings, layers of attention and SwiGLU, and logits.

It computes what Qwen2, Qwen3, Llama and Mistral checkpoints mean. Where keys and values are kept,
and what a token may see, is the business of the `View` it is given; what happens between the
products with its weights is that of its `Operations`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from apr.core.errors import BadInputError
from apr.serving.operations import Norms, operations_for
from apr.serving.slots import View
from apr.serving.weights.checkpoint import Checkpoint
from apr.serving.weights.shape import ModelShape


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer; those that are multiplied with the same input lie in one matrix."""

    input_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    head_norms: Norms | None
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
        self.operations = operations_for(self._embeddings, self.shape.epsilon)
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
        shape, operations = self.shape, self.operations
        state = functional.embedding(tokens, self._embeddings)
        rotation = (
            functional.embedding(view.positions, self._cosines),
            functional.embedding(view.positions, self._sines),
        )
        first = self._layers[0].input_norm
        normal = functional.rms_norm(state, first.shape, first, shape.epsilon)
        # Each norm is computed with the sum that it is of, so a layer ends with its heir's norm.
        heirs = [*(layer.input_norm for layer in self._layers[1:]), self._norm]
        for index, (layer, heir) in enumerate(zip(self._layers, heirs, strict=True)):
            joint = functional.linear(normal, layer.qkv, layer.qkv_bias)
            queries = operations.turn(joint, rotation, layer.head_norms, view, index)
            seen = functional.linear(view.attend(index, queries).flatten(2), layer.output)
            state, normal = operations.add_normal(state, seen, layer.inner_norm)
            inner = operations.gated(functional.linear(normal, layer.gate_up))
            change = functional.linear(inner, layer.down)
            state, normal = operations.add_normal(state, change, heir)
        return normal

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every word of the vocabulary, [..., vocabulary], in the model's own type."""
        return functional.linear(hidden, self._head)


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
        return self(*names) if self._has(names[0]) else None

    def _head_norms(self, attention: str) -> Norms | None:
        names = [f"{attention}.{letter}_norm.weight" for letter in "qk"]
        return (self(names[0]), self(names[1])) if self._has(names[0]) else None

    def _has(self, name: str) -> bool:
        return name in self._checkpoint.tensors

    def layer(self, index: int) -> Layer:
        home = f"model.layers.{index}"
        attention, inner = f"{home}.self_attn", f"{home}.mlp"
        projections = [f"{attention}.{letter}_proj" for letter in "qkv"]
        return Layer(
            input_norm=self(f"{home}.input_layernorm.weight"),
            qkv=self(*(f"{name}.weight" for name in projections)),
            qkv_bias=self._optional(*(f"{name}.bias" for name in projections)),
            head_norms=self._head_norms(attention),
            output=self(f"{attention}.o_proj.weight"),
            inner_norm=self(f"{home}.post_attention_layernorm.weight"),
            gate_up=self(f"{inner}.gate_proj.weight", f"{inner}.up_proj.weight"),
            down=self(f"{inner}.down_proj.weight"),
        )
