"""A T5 encoder-decoder in plain torch, with weights named as `transformers` names them.

Differs from the library's in what training needs: several examples share one row (packing), told
apart by segment numbers, and one mask serves all layers. Raffel et al. 2020; gated variant:
Shazeer 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FORBIDDEN = -30000.0
"""Added to the score of what must not be looked at; finite, so that a row of padding is no NaN."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model; `gated` selects the gated GELU, otherwise ReLU."""

    vocabulary: int
    width: int = 512
    heads: int = 8
    head_width: int = 64
    inner: int = 1408
    encoder_layers: int = 10
    decoder_layers: int = 4
    buckets: int = 32
    distance: int = 128
    gated: bool = True
    tied: bool = True
    epsilon: float = 1e-6


class Norm(nn.Module):
    """Root mean square normalization, computed in float32."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return self.weight * scaled.to(self.weight.dtype)


class Attention(nn.Module):
    """Attention without the division by the root of the width, as T5 has it."""

    def __init__(self, shape: Shape, has_bias: bool) -> None:
        super().__init__()
        inner = shape.heads * shape.head_width
        self.heads = shape.heads
        self.q = nn.Linear(shape.width, inner, bias=False)
        self.k = nn.Linear(shape.width, inner, bias=False)
        self.v = nn.Linear(shape.width, inner, bias=False)
        self.o = nn.Linear(inner, shape.width, bias=False)
        if has_bias:
            self.relative_attention_bias = nn.Embedding(shape.buckets, shape.heads)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (self._split(m) for m in (self.q(x), self.k(memory), self.v(memory)))
        mixed = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask.to(q.dtype), scale=1.0
        )
        result: Tensor = self.o(mixed.transpose(1, 2).flatten(2))
        return result

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class SelfAttention(nn.Module):
    def __init__(self, shape: Shape, has_bias: bool) -> None:
        super().__init__()
        self.SelfAttention = Attention(shape, has_bias)
        self.layer_norm = Norm(shape)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        normed = self.layer_norm(x)
        return x + self.SelfAttention(normed, normed, mask)


class CrossAttention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.EncDecAttention = Attention(shape, has_bias=False)
        self.layer_norm = Norm(shape)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        return x + self.EncDecAttention(self.layer_norm(x), memory, mask)


class FeedForward(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.DenseReluDense = _Dense(shape)
        self.layer_norm = Norm(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.DenseReluDense(self.layer_norm(x))


class _Dense(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gated = shape.gated
        if shape.gated:
            self.wi_0 = nn.Linear(shape.width, shape.inner, bias=False)
            self.wi_1 = nn.Linear(shape.width, shape.inner, bias=False)
        else:
            self.wi = nn.Linear(shape.width, shape.inner, bias=False)
        self.wo = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.gated:
            inner = functional.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x)
        else:
            inner = functional.relu(self.wi(x))
        result: Tensor = self.wo(inner)
        return result


class Block(nn.Module):
    def __init__(self, shape: Shape, is_decoder: bool, has_bias: bool) -> None:
        super().__init__()
        cross = [CrossAttention(shape)] if is_decoder else []
        self.layer = nn.ModuleList([SelfAttention(shape, has_bias), *cross, FeedForward(shape)])


class Stack(nn.Module):
    """Encoder or decoder; the first block holds the position biases of all."""

    def __init__(self, shape: Shape, layers: int, is_decoder: bool) -> None:
        super().__init__()
        self.is_decoder = is_decoder
        self.shape = shape
        self.block = nn.ModuleList([Block(shape, is_decoder, n == 0) for n in range(layers)])
        self.final_layer_norm = Norm(shape)

    def forward(
        self, x: Tensor, mask: Tensor, memory: Tensor | None = None, cross: Tensor | None = None
    ) -> Tensor:
        """`mask`, `cross`: `[batch, 1, to, from]`, True where one may look."""
        allowed = self._biases(x.shape[1]).to(x.dtype) + _additive(mask, x.dtype)
        across = None if cross is None else _additive(cross, x.dtype)
        for block in self.block:
            layers: Any = block.layer
            x = layers[0](x, allowed)
            if memory is not None:
                x = layers[1](x, memory, across)
            x = layers[-1](x)
        normed: Tensor = self.final_layer_norm(x)
        return normed

    def _biases(self, length: int) -> Tensor:
        """`[1, heads, to, from]`."""
        first: Any = self.block[0]
        table = first.layer[0].SelfAttention.relative_attention_bias
        place = torch.arange(length, device=table.weight.device)
        buckets = bucket_of(
            place[None, :] - place[:, None],
            self.shape.buckets,
            self.shape.distance,
            not self.is_decoder,
        )
        biases: Tensor = table(buckets)
        return biases.permute(2, 0, 1)[None]


class T5(nn.Module):
    """The whole model; its state has the names of `T5ForConditionalGeneration`.

    `working` is the type in which states are passed on from layer to layer.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.working = torch.float32
        self.shared = nn.Embedding(shape.vocabulary, shape.width)
        self.encoder = Stack(shape, shape.encoder_layers, is_decoder=False)
        self.decoder = Stack(shape, shape.decoder_layers, is_decoder=True)
        if not shape.tied:
            self.lm_head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        self._start()

    def _start(self) -> None:
        """Initial weights, small where T5 does not divide scores or outputs."""
        shape = self.shape
        nn.init.normal_(self.shared.weight, std=1.0)
        for name, weight in self.named_parameters():
            if name.endswith(".q.weight"):
                nn.init.normal_(weight, std=(shape.width * shape.head_width) ** -0.5)
            elif name.endswith((".k.weight", ".v.weight", "lm_head.weight")):
                nn.init.normal_(weight, std=shape.width**-0.5)
            elif name.endswith(".o.weight"):
                nn.init.normal_(weight, std=(shape.heads * shape.head_width) ** -0.5)
            elif ".wi" in name:
                nn.init.normal_(weight, std=shape.width**-0.5)
            elif name.endswith(".wo.weight"):
                nn.init.normal_(weight, std=shape.inner**-0.5)
            elif "relative_attention_bias" in name:
                nn.init.normal_(weight, std=shape.width**-0.5)

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Sum of the loss over the target tokens, and how many of them were predicted right."""
        source, target = batch["source_segments"], batch["target_segments"]
        encoder_mask = source[:, None, :, None] == source[:, None, None, :]
        memory = self.encoder(self.shared(batch["source"].long()).to(self.working), encoder_mask)
        own = target[:, None, :, None] == target[:, None, None, :]
        causal = torch.ones(own.shape[-2:], dtype=torch.bool, device=own.device).tril()
        cross = target[:, None, :, None] == source[:, None, None, :]
        inputs = self.shared(batch["inputs"].long()).to(self.working)
        state = self.decoder(inputs, own & causal, memory, cross)
        return self._loss(state, batch["labels"].long(), target > 0)

    def _loss(self, state: Tensor, labels: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        if self.shape.tied:
            scores = functional.linear(state * self.shape.width**-0.5, self.shared.weight)
        else:
            scores = self.lm_head(state)
        scores = scores.float().flatten(0, 1)
        weights = counts.flatten()
        losses = functional.cross_entropy(scores, labels.flatten(), reduction="none")
        right = (scores.argmax(-1) == labels.flatten()) & weights
        return (losses * weights).sum(), right.sum()


def bucket_of(relative: Tensor, buckets: int, distance: int, both_ways: bool) -> Tensor:
    """The bucket of each distance (from minus to): exact ones near, logarithmic ones far."""
    found = torch.zeros_like(relative)
    if both_ways:
        buckets //= 2
        found = found + (relative > 0).long() * buckets
        relative = relative.abs()
    else:
        relative = -relative.clamp(max=0)
    exact = buckets // 2
    far = torch.log(relative.clamp(min=1).float() / exact) / math.log(distance / exact)
    large = (exact + far * (buckets - exact)).long().clamp(max=buckets - 1)
    return found + torch.where(relative < exact, relative, large)


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    zero = torch.zeros((), dtype=dtype, device=mask.device)
    return torch.where(mask, zero, torch.full_like(zero, FORBIDDEN))
