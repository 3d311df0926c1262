"""The small operations between a decoder's matrix products, in plain torch: the reference.

A GPU spends more time on launching these than on computing them, so `apr.serving.kernels` has them
fused. Which of the two works is decided once, when a decoder is loaded.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from apr.serving import kernels
from apr.serving.slots import SlotCache, View, Window

Rotation = tuple[Tensor, Tensor]  # cosines and signed sines of each token, [rows, n, head width]
Norms = tuple[Tensor, Tensor]  # weights that queries and keys are normalised with


class Operations(Protocol):
    """What a decoder does besides multiplying by its weights."""

    spans: tuple[int, ...]  # how far a recorded step can look, in places; few are few recordings

    def add_normal(self, state: Tensor, change: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of both, and that sum after RMSNorm."""

    def gated(self, gate_up: Tensor) -> Tensor:
        """SiLU of the first half of the last dimension, times the second half."""

    def turn(
        self, joint: Tensor, rotation: Rotation, norms: Norms | None, view: View, layer: int
    ) -> Tensor:
        """Keep the keys and values of `joint` in the view; its queries, ready to attend.

        `joint` [rows, n, ...] holds the queries' heads, then those of the keys and the values.
        """

    def window(self, cache: SlotCache, positions: Tensor, places: Tensor, span: int) -> View:
        """The view of a step; see `Window` for what is given."""


class Plain:
    """`Operations` in torch, on any device."""

    spans: tuple[int, ...] = (
        *(256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192),
        *(12288, 16384, 24576, 32768),
    )

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def add_normal(self, state: Tensor, change: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """See `Operations`."""
        state = state + change
        return state, functional.rms_norm(state, weight.shape, weight, self._epsilon)

    def gated(self, gate_up: Tensor) -> Tensor:
        """See `Operations`."""
        gate, up = gate_up.chunk(2, dim=-1)
        return functional.silu(gate) * up

    def turn(
        self, joint: Tensor, rotation: Rotation, norms: Norms | None, view: View, layer: int
    ) -> Tensor:
        """See `Operations`."""
        kv_heads, width = view.held(layer).shape[-2:]
        joint = joint.view(*joint.shape[:2], -1, width)
        heads = joint.shape[2] - 2 * kv_heads
        turned, values = torch.split(joint, [heads + kv_heads, kv_heads], dim=2)
        if norms is not None:
            pieces = torch.split(turned, [heads, kv_heads], dim=2)
            normal = [
                functional.rms_norm(piece, weight.shape, weight, self._epsilon)
                for piece, weight in zip(pieces, norms, strict=True)
            ]
            turned = torch.cat(normal, dim=2)
        cosines, sines = (one.unsqueeze(2) for one in rotation)
        # Each pair of components that is turned lies half a head apart; `sines` carry the sign.
        turned = turned * cosines + turned.roll(width // 2, -1) * sines
        queries, keys = torch.split(turned, [heads, kv_heads], dim=2)
        view.write(layer, keys, values)
        return queries

    def window(self, cache: SlotCache, positions: Tensor, places: Tensor, span: int) -> View:
        """See `Operations`."""
        return Window(cache, positions, places, span)


def operations_for(weight: Tensor, epsilon: float) -> Operations:
    """The fastest operations for a model whose weights lie and look like this one.

    The fused ones have been checked under Triton's interpreter alone so far: they are asked for by
    APR_KERNELS=all until `benchmarks/kernels_check.py` has passed on a GPU.
    """
    if kernels.serve(weight, is_tried=False):
        from apr.serving.kernels.operations import Fused

        return Fused(epsilon)
    return Plain(epsilon)
