"""Attention over ragged rows of the slot cache: each row is read as far as it goes, and no further.

A row is cut into pieces of a fixed number of places, which are worked on side by side and then put
together in their order (Flash-Decoding; Dao et al. 2023). Where the cuts are depends on the cache
alone, so what other rows do, or how far the batch looks, changes nothing of a row's result.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from apr.serving.slots import SlotCache

PIECE = 128  # places, the fewest of a piece: short pieces keep a whole GPU busy with one row
MOST_PIECES = 128  # bounds what has to be put together
CHUNK = 16  # pieces put together at once
LOG2_E = 1.4426950408889634
# Queries of a program, and places it looks at together: as many as its registers hold. Float32 is
# computed exactly, without the matrix units that round it.
EXACT, FAST = (16, 16), (64, 32)


def piece_of(places: int) -> int:
    """How many places a piece has, in a cache of slots of so many."""
    return max(PIECE, triton.next_power_of_2(triton.cdiv(places, MOST_PIECES)))


class RaggedWindow:
    """The `View` of a step; see `apr.serving.slots.Window`, whose mask it does without."""

    def __init__(self, cache: SlotCache, positions: Tensor, places: Tensor, span: int) -> None:
        self.positions = positions.contiguous()
        self.places = places
        self._store = cache.store[:, :, : positions.shape[0]]
        self._piece = piece_of(cache.places)
        self._pieces = triton.cdiv(span, self._piece)

    def held(self, layer: int) -> Tensor:
        """See `View`."""
        return self._store[layer]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """See `View`."""
        rows = torch.arange(keys.shape[0], device=keys.device)[:, None]
        self._store[layer, 0][rows, self.places] = keys
        self._store[layer, 1][rows, self.places] = values

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """See `View`."""
        return attend_ragged(queries, self._store[layer], self.positions, self._piece, self._pieces)


def attend_ragged(
    queries: Tensor, held: Tensor, positions: Tensor, piece: int, pieces: int
) -> Tensor:
    """Attention of queries [rows, n, heads, width] to all places up to their positions [rows, n].

    `held` [2, rows, places, kv heads, width]; no position is behind the first `pieces` pieces.
    """
    queries = queries.contiguous()
    rows, tokens, heads, width = queries.shape
    kv_heads = held.shape[-2]
    group, lines = heads // kv_heads, rows * tokens * heads
    parts = torch.empty((lines, pieces, width), device=queries.device, dtype=torch.float32)
    tops = torch.empty((2, lines, pieces), device=queries.device, dtype=torch.float32)
    out = torch.empty_like(queries)
    block = max(16, triton.next_power_of_2(width))
    most, places = EXACT if queries.dtype == torch.float32 else FAST
    at_once = max(16, min(most, triton.next_power_of_2(group * tokens)))
    tiles = triton.cdiv(group * tokens, at_once)
    _attend_pieces[rows * kv_heads, pieces, tiles](
        queries, held[0], held[1], positions, parts, tops[0], tops[1],
        tokens, pieces, held.stride(1), LOG2_E / width**0.5,
        kv_heads, group, width, block, at_once, places, piece,
        num_warps=8 if at_once * block > 4096 else 4, num_stages=3,
    )  # fmt: skip
    _put_together[(lines,)](
        parts, tops[0], tops[1], positions, out, pieces, heads, width, block, piece, CHUNK,
        num_warps=2,
    )  # fmt: skip
    return out


@triton.jit
def _attend_pieces(
    queries, keys, values, positions, parts, tops, sums, tokens, pieces, row_stride, scale,
    KV_HEADS: tl.constexpr, GROUP: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    QUERIES: tl.constexpr, PLACES: tl.constexpr, PIECE: tl.constexpr,
):  # fmt: skip
    """One program a row and key head, piece, and tile of the queries that share that key head."""
    row, kept = tl.program_id(0) // KV_HEADS, tl.program_id(0) % KV_HEADS
    piece = tl.program_id(1)
    query = tl.program_id(2) * QUERIES + tl.arange(0, QUERIES)
    token = query // GROUP
    is_query = token < tokens
    position = tl.load(positions + row * tokens + token, is_query, other=-1).to(tl.int32)
    first = piece * PIECE
    end = tl.minimum(first + PIECE, tl.max(position, 0) + 1)
    if first < end:
        part = tl.arange(0, BLOCK)
        inside = part < WIDTH
        line = (row * tokens + token) * (KV_HEADS * GROUP) + kept * GROUP + query % GROUP
        asked = tl.load(
            queries + line[:, None] * WIDTH + part[None, :],
            is_query[:, None] & inside[None, :],
            other=0.0,
        )
        home = row.to(tl.int64) * row_stride + kept * WIDTH
        keys += home
        values += home
        top = tl.full([QUERIES], float("-inf"), tl.float32)
        total = tl.zeros([QUERIES], tl.float32)
        found = tl.zeros([QUERIES, BLOCK], tl.float32)
        for start in range(first, end, PLACES):
            place = start + tl.arange(0, PLACES)
            at = place[:, None] * (KV_HEADS * WIDTH) + part[None, :]
            is_held = (place[:, None] < end) & inside[None, :]
            key = tl.load(keys + at, is_held, other=0.0)
            value = tl.load(values + at, is_held, other=0.0)
            score = tl.dot(asked, tl.trans(key), input_precision="ieee") * scale
            score = tl.where(place[None, :] <= position[:, None], score, float("-inf"))
            best = tl.maximum(top, tl.max(score, 1))
            # A token that sees nothing of this piece has no best score to subtract.
            base = tl.where(best == float("-inf"), 0.0, best)
            share = tl.exp2(score - base[:, None])
            fade = tl.exp2(top - base)
            total = total * fade + tl.sum(share, 1)
            found = found * fade[:, None]
            found += tl.dot(share.to(value.dtype), value, input_precision="ieee")
            top = best
        slot = line * pieces + piece
        tl.store(tops + slot, top, is_query)
        tl.store(sums + slot, total, is_query)
        tl.store(
            parts + slot[:, None] * WIDTH + part[None, :],
            found,
            is_query[:, None] & inside[None, :],
        )


@triton.jit
def _put_together(
    parts, tops, sums, positions, out, pieces,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PIECE: tl.constexpr,
    CHUNK: tl.constexpr,
):  # fmt: skip
    """One program a token and head; always in chunks of the same size, from the first place on."""
    line = tl.program_id(0)
    count = (tl.load(positions + line // HEADS) // PIECE + 1).to(tl.int32)
    part = tl.arange(0, BLOCK)
    inside = part < WIDTH
    top, total = float("-inf"), 0.0
    found = tl.zeros([BLOCK], tl.float32)
    for first in range(0, count, CHUNK):
        piece = first + tl.arange(0, CHUNK)
        is_there = piece < count
        slot = line * pieces + piece
        level = tl.load(tops + slot, is_there, other=float("-inf"))
        best = tl.maximum(top, tl.max(level, 0))
        weight, fade = tl.exp2(level - best), tl.exp2(top - best)
        weighed = tl.load(
            parts + slot[:, None] * WIDTH + part[None, :],
            is_there[:, None] & inside[None, :],
            other=0.0,
        )
        found = found * fade + tl.sum(weighed * weight[:, None], 0)
        total = total * fade + tl.sum(tl.load(sums + slot, is_there, other=0.0) * weight, 0)
        top = best
    tl.store(out + line * WIDTH + part, (found / total).to(out.dtype.element_ty), inside)
