"""When a worker hands its runs back: it is stopping, or others have waited for long enough."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

from apr.core.errors import StoreError
from apr.core.ports import SubmissionStore

LOOK_EVERY_S = 5.0


class Draining:
    """A flag that a worker's processes share: made before they are forked, and never unmade."""

    def __init__(self) -> None:
        self._flag = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """From now on no run goes on here."""
        self._flag[0] = 1

    def __bool__(self) -> bool:
        return self._flag[0] == 1


class Turn:
    """How long one run may go on; see `apr.ownership.HandBack`."""

    def __init__(
        self,
        store: SubmissionStore,
        priority: int,
        slice_s: float,
        draining: Draining,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._priority = priority
        self._draining = draining
        self._clock = clock
        self._look_at = clock() + slice_s

    def __call__(self) -> str | None:
        """Why the run is to be handed back."""
        if self._draining:
            return "its worker is stopping"
        if self._clock() < self._look_at:
            return None
        self._look_at = self._clock() + LOOK_EVERY_S
        return "others are waiting" if self._others_wait() else None

    def _others_wait(self) -> bool:
        try:
            waiting = self._store.waiting()
        except StoreError:
            return False
        return any(other.priority >= self._priority for other in waiting)
