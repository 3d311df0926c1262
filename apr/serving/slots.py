"""The cache of keys and values: one slot a sequence, token i always at place i of its slot.

A sequence is therefore shortened by writing down a smaller length, and nothing is ever moved to
line rows up. What lies behind a length is unreachable and is overwritten in time.
"""

from __future__ import annotations

from collections.abc import Sequence as Listing
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from apr.serving.weights.shape import ModelShape

SPAN_STEP = 64  # places; keeps masks aligned for the fast attention kernels


class SlotCache:
    """Keys and values of `slots` sequences of at most `length` tokens, allocated once."""

    def __init__(
        self,
        shape: ModelShape,
        slots: int,
        length: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.slots = slots
        self.length = length
        self.group = shape.group
        # One step more than asked for: the last places take what idle rows write.
        self.places = round_up(length + 1, SPAN_STEP)
        sizes = (shape.layers, 2, slots, self.places, shape.kv_heads, shape.head_width)
        self.store = torch.zeros(sizes, device=device, dtype=dtype)

    @property
    def waste_place(self) -> int:
        """A place that no sequence reaches."""
        return self.places - 1

    def copy(self, source: int, targets: list[int], tokens: int) -> None:
        """The first `tokens` of a slot, into others."""
        if tokens:
            piece = self.store[:, :, source, :tokens]
            for target in targets:
                self.store[:, :, target, :tokens].copy_(piece)


def slot_bytes(shape: ModelShape, length: int, dtype: torch.dtype) -> int:
    """Bytes that one slot takes."""
    numbers = 2 * shape.layers * shape.kv_heads * shape.head_width
    return numbers * round_up(length + 1, SPAN_STEP) * dtype.itemsize


def round_up(number: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-number // step) * step


class View(Protocol):
    """What one forward pass works on: where its tokens stand, and what each of them sees."""

    positions: Tensor  # [rows, n]
    places: Tensor  # where each token is kept, [rows, n]

    def held(self, layer: int) -> Tensor:
        """Keys and values of all places, [2, rows, places, kv heads, head width]."""

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Keep keys and values [rows, n, kv heads, head width] of the tokens at hand."""

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """Attention of queries [rows, n, heads, head width] to what they see, of the same shape."""


class Window:
    """The `View` of a step: the first rows of the cache, each with tokens anywhere in its slot.

    `positions` [rows, n] says where each token stands, `places` where it is written; a token sees
    its slot up to its own position, and no position is behind `span`.
    """

    def __init__(self, cache: SlotCache, positions: Tensor, places: Tensor, span: int) -> None:
        self.positions = positions
        rows = positions.shape[0]
        self._store = cache.store[:, :, :rows]
        self._span = span
        self.places = places
        self._rows = torch.arange(rows, device=positions.device)[:, None]
        self._mask = _mask(positions, span, cache)

    def held(self, layer: int) -> Tensor:
        """See `View`."""
        return self._store[layer]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """See `View`."""
        self._store[layer, 0][self._rows, self.places] = keys
        self._store[layer, 1][self._rows, self.places] = values

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """See `View`."""
        keys, values = self._store[layer, :, :, : self._span].unbind()
        return _attend(queries, keys, values, self._mask)


class Passage:
    """The `View` of a prompt being read: `count` tokens of one slot from `start` on."""

    def __init__(self, cache: SlotCache, slot: int, start: int, count: int) -> None:
        end = start + count
        self.positions = torch.arange(start, end, device=cache.store.device)[None]
        self.places = self.positions
        self._slot = cache.store[:, :, slot : slot + 1]
        self._new = cache.store[:, :, slot, start:end]
        span = min(round_up(end, SPAN_STEP), cache.places) if start else end
        self._seen = self._slot[:, :, :, :span]
        # Nothing before it: each token sees what is up to itself, for which there are kernels.
        self._mask = _mask(self.positions, span, cache) if start else None

    def held(self, layer: int) -> Tensor:
        """See `View`."""
        return self._slot[layer]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """See `View`."""
        self._new[layer, 0].copy_(keys[0])
        self._new[layer, 1].copy_(values[0])

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """See `View`."""
        keys, values = self._seen[layer].unbind()
        if self._mask is not None:
            return _attend(queries, keys, values, self._mask)
        seen = functional.scaled_dot_product_attention(
            queries.transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
            is_causal=True,
            enable_gqa=True,
        )
        return seen.transpose(1, 2)


class Passages:
    """The `View` of several prompts read side by side, each from the beginning of its slot.

    `pieces` says each one's slot and how many tokens of it are read; they stand in one row.
    """

    def __init__(self, cache: SlotCache, pieces: Listing[tuple[int, int]]) -> None:
        self._parts = [Passage(cache, slot, 0, count) for slot, count in pieces]
        self._counts = [count for _, count in pieces]
        # All slots behind each other are one long slot, in which every token has its place.
        self._store = cache.store.flatten(2, 3).unsqueeze(2)
        self.positions = torch.cat([part.positions for part in self._parts], dim=1)
        homes = [
            slot * cache.places + part.positions
            for (slot, _), part in zip(pieces, self._parts, strict=True)
        ]
        self.places = torch.cat(homes, dim=1)

    def held(self, layer: int) -> Tensor:
        """See `View`."""
        return self._store[layer]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """See `View`."""
        self._store[layer, 0, 0][self.places[0]] = keys[0]
        self._store[layer, 1, 0][self.places[0]] = values[0]

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """See `View`."""
        pieces = zip(self._parts, queries.split(self._counts, dim=1), strict=True)
        return torch.cat([part.attend(layer, piece) for part, piece in pieces], dim=1)


def _mask(positions: Tensor, span: int, cache: SlotCache) -> Tensor:
    """[rows, kv heads, group * n, span]: 0 for what is seen, minus infinity for the rest."""
    places = torch.arange(span, device=positions.device)
    hidden = places[None, None, :] > positions[:, :, None]
    mask = torch.zeros(hidden.shape, device=positions.device, dtype=cache.store.dtype)
    mask = mask.masked_fill_(hidden, float("-inf")).repeat(1, cache.group, 1)
    return mask.unsqueeze(1).expand(-1, cache.store.shape[-2], -1, -1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """The heads that share a key become further queries: no key is ever repeated in memory."""
    rows, tokens, heads, width = queries.shape
    group = heads // keys.shape[2]
    folded = queries.view(rows, tokens, -1, group, width).permute(0, 2, 3, 1, 4)
    folded = folded.reshape(rows, -1, group * tokens, width)
    seen = functional.scaled_dot_product_attention(
        folded, keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask
    )
    seen = seen.view(rows, -1, group, tokens, width).permute(0, 3, 1, 2, 4)
    return seen.reshape(rows, tokens, heads, width)
