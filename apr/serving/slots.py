"""The cache of keys and values: one slot a sequence, token i always at place i of its slot.

A sequence is therefore shortened by writing down a smaller length, and nothing is ever moved to
line rows up. What lies behind a length is unreachable and is overwritten in time.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from apr.serving.weights.shape import ModelShape

KERNELS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
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


class Window:
    """The rows of the cache that one forward pass works on, and what each token sees of them.

    `first` is the slot of row 0, the others follow it. `positions` [rows, n] says where each token
    stands, `places` where it is written; a token sees its slot up to its own position, and no
    position is behind `span`.
    """

    def __init__(
        self, cache: SlotCache, first: int, positions: Tensor, places: Tensor, span: int
    ) -> None:
        self.positions = positions
        rows, tokens = positions.shape
        self._store = cache.store[:, :, first : first + rows]
        self._span = span
        self._places = places
        self._rows = torch.arange(rows, device=positions.device)[:, None]
        self._mask = self._see(positions, tokens)

    def _see(self, positions: Tensor, tokens: int) -> Tensor:
        """[rows, 1, n, span]: nothing to add for what is seen, minus infinity for the rest."""
        places = torch.arange(self._span, device=positions.device)
        hidden = places[None, None, :] > positions[:, :, None]
        mask = torch.zeros(hidden.shape, device=positions.device, dtype=self._store.dtype)
        return mask.masked_fill_(hidden, float("-inf")).unsqueeze(1)

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Keep keys and values [rows, n, kv heads, head width] of the tokens at hand."""
        self._store[layer, 0][self._rows, self._places] = keys
        self._store[layer, 1][self._rows, self._places] = values

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """Attention of queries [rows, n, heads, head width] to what they see, of the same shape."""
        keys = self._store[layer, 0, :, : self._span].transpose(1, 2)
        values = self._store[layer, 1, :, : self._span].transpose(1, 2)
        rows, tokens, heads, width = queries.shape
        group = heads // keys.shape[1]
        # The heads that share a key become further queries: no key is ever repeated in memory.
        folded = queries.view(rows, tokens, -1, group, width).permute(0, 2, 3, 1, 4)
        folded = folded.reshape(rows, -1, group * tokens, width)
        mask = self._mask.unsqueeze(2).expand(-1, -1, group, -1, -1)
        mask = mask.reshape(rows, 1, group * tokens, self._span).expand(-1, keys.shape[1], -1, -1)
        with sdpa_kernel(KERNELS) if folded.is_cuda else nullcontext():
            seen = functional.scaled_dot_product_attention(folded, keys, values, attn_mask=mask)
        seen = seen.view(rows, -1, group, tokens, width).permute(0, 3, 1, 2, 4)
        return seen.reshape(rows, tokens, heads, width)
