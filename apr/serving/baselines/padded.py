"""Rows of different lengths in one rectangle: left padding, positions, masks, and caches to match.

The invariants of arXiv 2510.22876: a token's position is its index among its row's own tokens,
never its column; the mask is true on the row's own tokens; the cache holds all of them but the
last; and what was rejected is not in it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

PAD = 0  # its value never matters: it is masked


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Texts as one batch, [rows, columns], each at the right end of its row."""

    tokens: Tensor
    mask: Tensor

    @property
    def positions(self) -> Tensor:
        """The index of each token in its own text."""
        return (self.mask.long().cumsum(dim=1) - 1).clamp(min=0)


def pad(texts: Listing[Listing[int]], device: torch.device) -> Rectangle:
    """Texts lined up at their ends."""
    width = max(map(len, texts))
    tokens = torch.full((len(texts), width), PAD, dtype=torch.int64)
    mask = torch.zeros((len(texts), width), dtype=torch.int64)
    for row, text in enumerate(texts):
        tokens[row, width - len(text) :] = torch.tensor(text)
        mask[row, width - len(text) :] = 1
    return Rectangle(tokens.to(device), mask.to(device))


def verify(model: Any, whole: Rectangle, cache: DynamicCache, known: int) -> Tensor:
    """The likeliest successor of each token from column `known` on; the cache takes them in."""
    # transformers 5.24 calls it `cache`, earlier releases know the old name alone.
    is_new = "cache" in inspect.signature(model.forward).parameters
    out = model(
        input_ids=whole.tokens[:, known:],
        attention_mask=whole.mask,
        position_ids=whole.positions[:, known:],
        use_cache=True,
        **{"cache" if is_new else "past_key_values": cache},
    )
    found: Tensor = out.logits.argmax(-1)
    return found


def fill(model: Any, texts: Listing[Listing[int]], device: torch.device) -> DynamicCache:
    """A cache of all tokens but the last of each text."""
    cache = DynamicCache(config=model.config)
    whole = pad(texts, device)
    if whole.tokens.shape[1] > 1:
        short = Rectangle(whole.tokens[:, :-1], whole.mask[:, :-1])
        verify(model, short, cache, 0)
    return cache


def realign(cache: DynamicCache, starts: Listing[int], lengths: Listing[int]) -> DynamicCache:
    """The cache with each row's own `lengths` columns from `starts` on, moved to its right end."""
    width = max(lengths)
    for layer in cache.layers:
        layer.keys = _shifted(layer.keys, starts, lengths, width)
        layer.values = _shifted(layer.values, starts, lengths, width)
    return cache


def _shifted(old: Tensor, starts: Listing[int], lengths: Listing[int], width: int) -> Tensor:
    rows, heads, _, size = old.shape
    new = old.new_zeros((rows, heads, width, size))
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        new[row, :, width - length :] = old[row, :, start : start + length]
    return new


def join(caches: Listing[DynamicCache]) -> DynamicCache:
    """One cache of rows that are equally long."""
    first, *others = caches
    joined = DynamicCache()
    for index, layer in enumerate(first.layers):
        keys = torch.cat([layer.keys, *(other.layers[index].keys for other in others)])
        values = torch.cat([layer.values, *(other.layers[index].values for other in others)])
        joined.update(keys, values, index)
    return joined


def part(cache: DynamicCache, row: int, start: int, length: int) -> DynamicCache:
    """One row of a cache, `length` columns of it from `start` on."""
    own = DynamicCache()
    for index, layer in enumerate(cache.layers):
        keys = layer.keys[row : row + 1, :, start : start + length].clone()
        values = layer.values[row : row + 1, :, start : start + length].clone()
        own.update(keys, values, index)
    return own
