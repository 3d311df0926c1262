"""How far a training is, and the learning rate that belongs there.

Progress runs from 0 to 1 over all sittings. A sitting goes from where the checkpoint is to `until`
in `seconds` (or `steps`), and the learning rate depends on progress alone: so the last sitting
ends with the lowest one, however fast the machine is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """`seconds` is for the whole sitting, compilation included; `steps`, if not 0, replaces it.

    Up to `pretrain` of the progress the model restores corrupted code, after that it repairs.
    """

    seconds: float = 60.0
    steps: int = 0
    until: float = 1.0
    pretrain: float = 0.45
    rate: float = 1e-3
    floor: float = 0.02
    warmup: float = 0.02

    def rate_at(self, reached: float) -> float:
        """Linear warmup, then a cosine down to `floor` of the highest rate."""
        if reached < self.warmup:
            return self.rate * max(reached / self.warmup, 0.02)
        fall = min((reached - self.warmup) / max(1 - self.warmup, 1e-9), 1.0)
        share = self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * fall))
        return self.rate * share


class Sitting:
    """Turns a sitting's time, or its steps, into progress."""

    def __init__(
        self, schedule: Schedule, reached: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._schedule, self._from, self._clock = schedule, reached, clock
        self._started = clock()
        self._first: float | None = None
        self._steps = 0
        self.reached = reached

    @property
    def is_over(self) -> bool:
        return self.reached >= self._schedule.until

    @property
    def seconds(self) -> float:
        """Since the sitting began."""
        return self._clock() - self._started

    def step(self) -> None:
        """One more step is done. What the first one takes, compiling, is no progress."""
        self._steps += 1
        if self._first is None:
            self._first = self.seconds
        if self._schedule.steps:
            share = self._steps / self._schedule.steps
        else:
            box = max(self._schedule.seconds - self._first, 1e-3)
            share = (self.seconds - self._first) / box
        until = self._schedule.until
        self.reached = until if share >= 1 else self._from + (until - self._from) * share
