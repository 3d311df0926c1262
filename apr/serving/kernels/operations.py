"""The operations between matrix products, one launch each; see `apr.serving.operations`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from apr.serving.kernels.attention import RaggedWindow
from apr.serving.operations import Norms, Rotation
from apr.serving.slots import SlotCache, View

GATED_BLOCK = 1024  # numbers that one program multiplies


class Fused:
    """`Operations` in Triton."""

    # No row reads behind its own end: a span says only how many programs look whether they may.
    spans: tuple[int, ...] = (512, 2048, 8192, 32768)

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def add_normal(self, state: Tensor, change: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """See `Operations`."""
        width = state.shape[-1]
        state, change = state.contiguous(), change.contiguous()
        total, normal = torch.empty_like(state), torch.empty_like(state)
        block = triton.next_power_of_2(width)
        _add_normal[(state.numel() // width,)](
            state, change, weight, total, normal, width, self._epsilon, block,
            num_warps=min(8, max(1, block // 256)),
        )  # fmt: skip
        return total, normal

    def gated(self, gate_up: Tensor) -> Tensor:
        """See `Operations`."""
        gate_up = gate_up.contiguous()
        width = gate_up.shape[-1] // 2
        out = gate_up.new_empty((*gate_up.shape[:-1], width))
        lines = out.numel() // width
        _gated[lines, triton.cdiv(width, GATED_BLOCK)](gate_up, out, width, GATED_BLOCK)
        return out

    def turn(
        self, joint: Tensor, rotation: Rotation, norms: Norms | None, view: View, layer: int
    ) -> Tensor:
        """See `Operations`."""
        joint, held = joint.contiguous(), view.held(layer)
        rows, tokens = joint.shape[:2]
        kv_heads, width = held.shape[-2:]
        heads = joint.shape[2] // width - 2 * kv_heads
        queries = joint.new_empty((rows, tokens, heads, width))
        query_norm, key_norm = (joint, joint) if norms is None else norms
        _turn[rows * tokens, heads + 2 * kv_heads](
            joint, *rotation, query_norm, key_norm, queries, held, view.places.contiguous(),
            tokens, held.stride(0), held.stride(1), self._epsilon,
            heads, kv_heads, width, triton.next_power_of_2(width), norms is not None,
            num_warps=1,
        )  # fmt: skip
        return queries

    def window(self, cache: SlotCache, positions: Tensor, places: Tensor, span: int) -> View:
        """See `Operations`."""
        return RaggedWindow(cache, positions, places, span)


@triton.jit
def _add_normal(state, change, weight, total, normal, width, epsilon, BLOCK: tl.constexpr):
    """One program a token."""
    part = tl.arange(0, BLOCK)
    inside = part < width
    at = tl.program_id(0).to(tl.int64) * width + part
    number = tl.load(state + at, inside, other=0.0).to(tl.float32)
    number += tl.load(change + at, inside, other=0.0).to(tl.float32)
    # What is normalised is what is kept, in the precision in which it is kept.
    kept = number.to(total.dtype.element_ty)
    tl.store(total + at, kept, inside)
    number = kept.to(tl.float32)
    rate = tl.rsqrt(tl.sum(number * number, 0) / width + epsilon)
    number *= rate * tl.load(weight + part, inside, other=0.0).to(tl.float32)
    tl.store(normal + at, number.to(normal.dtype.element_ty), inside)


@triton.jit
def _gated(gate_up, out, width, BLOCK: tl.constexpr):
    """One program a token and piece of its inner width."""
    line = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = part < width
    start = gate_up + line * 2 * width
    gate = tl.load(start + part, inside, other=0.0).to(tl.float32)
    up = tl.load(start + width + part, inside, other=0.0).to(tl.float32)
    number = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out + line * width + part, number.to(out.dtype.element_ty), inside)


@triton.jit
def _turn(
    joint, cosines, sines, query_norm, key_norm, queries, held, places,
    tokens, kind_stride, row_stride, epsilon,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    IS_NORMAL: tl.constexpr,
):  # fmt: skip
    """One program a token and head: of the queries, then of the keys, then of the values."""
    token, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    part = tl.arange(0, BLOCK)
    inside = part < WIDTH
    start = joint + (token * (HEADS + 2 * KV_HEADS) + head) * WIDTH
    number = tl.load(start + part, inside, other=0.0).to(tl.float32)
    if head < HEADS + KV_HEADS:
        twin = tl.where(part < WIDTH // 2, part + WIDTH // 2, part - WIDTH // 2)
        other = tl.load(start + twin, inside, other=0.0).to(tl.float32)
        if IS_NORMAL:
            norm = key_norm
            if head < HEADS:
                norm = query_norm
            rate = tl.rsqrt(tl.sum(number * number, 0) / WIDTH + epsilon)
            number *= rate * tl.load(norm + part, inside, other=0.0).to(tl.float32)
            other *= rate * tl.load(norm + twin, inside, other=0.0).to(tl.float32)
            number = number.to(joint.dtype.element_ty).to(tl.float32)
            other = other.to(joint.dtype.element_ty).to(tl.float32)
        cosine = tl.load(cosines + token * WIDTH + part, inside, other=0.0).to(tl.float32)
        sine = tl.load(sines + token * WIDTH + part, inside, other=0.0).to(tl.float32)
        number = number * cosine + other * sine
    turned = number.to(joint.dtype.element_ty)
    if head < HEADS:
        tl.store(queries + (token * HEADS + head) * WIDTH + part, turned, inside)
    else:
        kind, kept = (head - HEADS) // KV_HEADS, (head - HEADS) % KV_HEADS
        home = held + kind * kind_stride + token // tokens * row_stride
        home += (tl.load(places + token) * KV_HEADS + kept) * WIDTH
        tl.store(home + part, turned, inside)
