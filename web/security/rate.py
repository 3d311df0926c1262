"""Rates: how often somebody may do something. Token buckets, in memory, one server each."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_KEYS = 20_000


class Pace:
    """Lets each key act `burst` times at once and `per_second` times in the long run."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`per_second` 0: any number."""
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Act once; 0, or the seconds to wait because it was refused."""
        return self._look(key, cost=1.0)

    def wait(self, key: str) -> float:
        """The seconds that `take` would say, without acting."""
        return self._look(key, cost=0.0)

    def _look(self, key: str, cost: float) -> float:
        if not self._per_second:
            return 0.0
        with self._lock:
            now = self._clock()
            level, then = self._levels.pop(key, (float(self._burst), now))
            level = min(self._burst, level + (now - then) * self._per_second)
            allowed = level >= 1.0
            self._levels[key] = (level - cost if allowed else level, now)
            if len(self._levels) > MOST_KEYS:
                self._levels.popitem(last=False)
            return 0.0 if allowed else (1.0 - level) / self._per_second
