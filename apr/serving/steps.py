"""One decoding step of all rows: run the model, choose, accept drafts, advance, on the device.

On a GPU a step is recorded once for each shape as a CUDA graph and then replayed, since a step of
a small model has less to compute than its launches take time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apr.serving.network import Decoder
from apr.serving.rows import Rows, Whole
from apr.serving.sampling import Needs, choose, weigh
from apr.serving.slots import SlotCache

WARM_UPS = 2


@dataclass(frozen=True, slots=True)
class StepShape:
    """What a graph is recorded for: `rows` slots from 0 on, `width` tokens each, within `span`."""

    rows: int
    width: int
    span: int
    needs: Needs


@dataclass(frozen=True, slots=True)
class Written:
    """What a step has written.

    `tokens` [rows, width + 1] are those chosen at each place, and last how many of them count, 0
    for a row at rest. `odds` [rows, width, ...] is what `sampling.weigh` says, where it is needed.
    """

    tokens: Tensor
    odds: Tensor | None


class Steps:
    """Runs steps over the rows of a cache."""

    def __init__(
        self, decoder: Decoder, cache: SlotCache, rows: Rows, ends: tuple[int, ...], width: int
    ) -> None:
        """`width`: the most tokens a row works on in one step, its own and the drafted ones."""
        device = decoder.device
        self._decoder = decoder
        self._cache = cache
        self._rows = rows
        self._ends = torch.tensor(ends or (-1,), device=device)
        self._offsets = torch.arange(width, device=device)
        # The guesses of each row, and last how many of them are meant.
        self._drafts = torch.zeros((cache.slots, width), device=device, dtype=torch.int64)
        self._is_recorded = device.type == "cuda"
        self.recorded = 0
        self._graphs: dict[StepShape, Callable[[], Written]] = {}
        # One pool of memory for all graphs: only one of them runs at a time.
        self._pool: Any = torch.cuda.graph_pool_handle() if self._is_recorded else None

    def try_drafts(self, rows: int, guesses: Mapping[int, list[int]]) -> None:
        """Let the next step verify guesses, by slot; the other rows get none."""
        width = self._drafts.shape[1]
        table = np.zeros((rows, width), dtype=np.int64)
        for slot, guess in guesses.items():
            table[slot, : len(guess)] = guess
            table[slot, -1] = len(guess)
        self._drafts[:rows] = torch.from_numpy(table).to(self._drafts.device)

    def run(self, shape: StepShape) -> Written:
        """Advance the first `shape.rows` slots; what is returned lives until the next call."""
        if not self._is_recorded:
            return self._compute(shape)
        if shape not in self._graphs:
            self._graphs[shape] = self._record(shape)
            self.recorded += 1
        return self._graphs[shape]()

    def _record(self, shape: StepShape) -> Callable[[], Written]:
        """Capture a step; the trial runs before it change no row, since all of them rest."""
        active = self._rows.wholes[Whole.ACTIVE].clone()
        self._rows.wholes[Whole.ACTIVE] = 0
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._compute(shape)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            out = self._compute(shape)
        self._rows.wholes[Whole.ACTIVE] = active

        def replay() -> Written:
            graph.replay()
            return out

        return replay

    def _compute(self, shape: StepShape) -> Written:
        wholes = self._rows.wholes[:, : shape.rows]
        active = wholes[Whole.ACTIVE]
        offsets = self._offsets[: shape.width]
        drafted = self._drafts[: shape.rows, : shape.width - 1]
        meant = offsets <= self._drafts[: shape.rows, -1:]
        tokens = torch.cat([wholes[Whole.TOKEN, :, None], drafted], dim=1)
        positions = (wholes[Whole.LENGTH, :, None] + offsets) * active[:, None]
        positions = positions.clamp(max=self._cache.length - 1)
        places = torch.where(meant & (active[:, None] > 0), positions, self._cache.waste_place)
        window = self._decoder.operations.window(self._cache, positions, places, shape.span)
        logits = self._decoder.logits(self._decoder.hidden(tokens, window))
        chosen = choose(logits, positions, self._rows.rules(shape.rows), shape.needs)
        odds = weigh(logits, chosen) if shape.needs.odds else None
        return Written(self._advance(wholes, chosen, drafted, meant, shape.needs), odds)

    def _advance(
        self, wholes: Tensor, chosen: Tensor, drafted: Tensor, meant: Tensor, needs: Needs
    ) -> Tensor:
        """Keep what was guessed right and one token more, and note where each row stands now."""
        active = wholes[Whole.ACTIVE].clone()
        kept = torch.zeros_like(active)
        if drafted.shape[1]:
            right = (chosen[:, :-1] == drafted) & meant[:, 1:]
            kept = right.long().cumprod(dim=1).sum(dim=1)
        last = chosen.gather(1, kept[:, None])[:, 0]
        counts = (kept + 1) * active
        committed = self._offsets[: chosen.shape[1]] <= kept[:, None]
        ended = ((chosen[:, :, None] == self._ends).any(dim=2) & committed).any(dim=1)
        wholes[Whole.TOKEN] = torch.where(active > 0, last, wholes[Whole.TOKEN])
        wholes[Whole.LENGTH] += counts
        goes_on = ~ended & (wholes[Whole.LENGTH] < wholes[Whole.LIMIT])
        wholes[Whole.ACTIVE] *= goes_on
        if needs.penalties and self._rows.used is not None:
            used = self._rows.used[: chosen.shape[0]]
            used.scatter_add_(1, chosen, (committed & (active[:, None] > 0)).int())
        return torch.cat([chosen, counts[:, None]], dim=1)
