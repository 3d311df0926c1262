"""Each fused operation beside the torch one in float64, on the same random numbers.

Used by the tests, where Triton interprets the kernels, and by benchmarks/kernels_check.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from apr.serving.kernels.operations import Fused
from apr.serving.operations import Operations, Plain
from apr.serving.slots import SlotCache
from apr.serving.weights.shape import ModelShape

EPSILON = 1e-6
Pair = tuple[str, Tensor, Tensor]  # what is compared, what was found, what is wanted


@dataclass(frozen=True, slots=True)
class Case:
    """Sizes of a step: rows of `tokens` tokens each, in slots of `length`; `has_norms`: Qwen3."""

    heads: int
    kv_heads: int
    head_width: int
    rows: int
    tokens: int
    length: int
    has_norms: bool = False

    @property
    def shape(self) -> ModelShape:
        """A model of one layer that has these heads."""
        width = self.heads * self.head_width
        return ModelShape(
            vocabulary=8,
            width=width,
            layers=1,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_width=self.head_width,
            inner_width=3 * width,
            max_positions=self.length,
            epsilon=EPSILON,
            rope_base=10000.0,
        )


class Rig:
    """Random numbers in one type; asked for exactly, the same numbers in float64."""

    def __init__(
        self, case: Case, device: torch.device, dtype: torch.dtype, seed: int, *, is_exact: bool
    ) -> None:
        self.case = case
        self._random = torch.Generator().manual_seed(seed)
        self._device, self._dtype, self._is_exact = device, dtype, is_exact
        tokens, width = case.tokens, case.head_width
        starts = torch.randint(0, case.length - tokens, (case.rows,), generator=self._random)
        self.positions = (starts[:, None] + torch.arange(tokens)).to(device)
        kept = torch.float64 if is_exact else dtype
        self.cache = SlotCache(case.shape, case.rows, case.length, device, kept)
        self.cache.store.copy_(self.draw(*self.cache.store.shape))
        joint = case.heads + 2 * case.kv_heads
        self.joint = self.draw(case.rows, tokens, joint * width)
        self.rotation = self.draw(case.rows, tokens, width), self.draw(case.rows, tokens, width)
        self.norms = (self.draw(width), self.draw(width)) if case.has_norms else None

    def draw(self, *sizes: int) -> Tensor:
        """Fresh random numbers."""
        drawn = torch.randn(*sizes, generator=self._random).to(self._device, self._dtype)
        return drawn.double() if self._is_exact else drawn

    def poison(self) -> None:
        """Not a number wherever no row may look."""
        places = torch.arange(self.cache.places, device=self._device)
        behind = places > self.positions[:, -1:]
        self.cache.store[0, :, behind] = float("nan")

    def attend(self, operations: Operations) -> Iterator[Tensor]:
        """Keys and values as they are kept, the queries, and what attention finds."""
        view = operations.window(self.cache, self.positions, self.positions, self.cache.places)
        queries = operations.turn(self.joint, self.rotation, self.norms, view, 0)
        rows = torch.arange(self.case.rows, device=self._device)[:, None]
        yield self.cache.store[0][:, rows, self.positions]
        yield queries
        yield view.attend(0, queries)

    def others(self, operations: Operations) -> Iterator[Tensor]:
        """A sum, its norm, and a gated product."""
        case, shape = self.case, self.case.shape
        state, change = (self.draw(case.rows, case.tokens, shape.width) for _ in range(2))
        yield from operations.add_normal(state, change, self.draw(shape.width))
        yield operations.gated(self.draw(case.rows, case.tokens, 2 * shape.inner_width))


def pairs(case: Case, device: torch.device, dtype: torch.dtype, seed: int) -> Iterator[Pair]:
    """What the fused operations find in `dtype`, and what torch finds in float64."""
    rig = Rig(case, device, dtype, seed, is_exact=False)
    exact = Rig(case, device, dtype, seed, is_exact=True)
    rig.poison()
    fused, plain = Fused(EPSILON), Plain(EPSILON)
    names = ("kept", "queries", "attention")
    yield from zip(names, rig.attend(fused), exact.attend(plain), strict=True)
    names = ("sum", "normal", "gated")
    yield from zip(names, rig.others(fused), exact.others(plain), strict=True)


def distance(found: Tensor, wanted: Tensor) -> float:
    """The relative distance; not a number when anything in `found` is not."""
    found, wanted = found.double(), wanted.double()
    return float((found - wanted).norm() / wanted.norm())


def is_alone_the_same(case: Case, device: torch.device, dtype: torch.dtype, seed: int) -> bool:
    """Whether every row's attention is bit for bit what it is without the other rows."""
    rig = Rig(case, device, dtype, seed, is_exact=False)
    fused = Fused(EPSILON)
    *_, queries, together = rig.attend(fused)
    for row in range(case.rows):
        alone = SlotCache(case.shape, 1, case.length, device, dtype)
        alone.store.copy_(rig.cache.store[:, :, row : row + 1])
        positions = rig.positions[row : row + 1]
        span = int(positions.max()) + 1
        found = fused.window(alone, positions, positions, span).attend(0, queries[row : row + 1])
        if not torch.equal(found[0], together[row]):
            return False
    return True
