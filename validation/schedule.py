"""Which worker judges which patch: one that has a warm process for the files it touches."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence
from threading import Lock

from apr.core.patch import Patch

Files = tuple[str, ...]


class Schedule:
    """Hands out the patches of one batch, grouped by the files they touch.

    A warm process serves one group of files, and starting one costs as much as many candidates:
    a worker stays with its files while there are patches for them, and workers share a group only
    when there is none left for each. Patches go to a session one at a time: a message to a warm
    process and back takes some 0.1 ms, the forked child that judges a patch at least 5 ms, so
    sending several at once would save nothing and would need a copy of the files for each.
    """

    def __init__(self, patches: Sequence[Patch]) -> None:
        self._waiting: dict[Files, deque[int]] = {}
        for index, patch in enumerate(patches):
            self._waiting.setdefault(patch.paths, deque()).append(index)
        self._served: Counter[Files] = Counter()
        self._lock = Lock()

    def take(self, warm: Collection[Files]) -> int | None:
        """The index of a patch for a worker with processes for `warm`; None: all are taken."""
        with self._lock:
            if not self._waiting:
                return None
            files = max(
                self._waiting,
                key=lambda f: (f in warm, -self._served[f], len(self._waiting[f])),
            )
            self._served[files] += 1
            index = self._waiting[files].popleft()
            if not self._waiting[files]:
                del self._waiting[files]
            return index

    def clear(self) -> None:
        """Hand out nothing more."""
        with self._lock:
            self._waiting.clear()
