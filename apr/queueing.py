"""The queue of an installation without a broker: threads of this process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from apr.core.run import Submission


@dataclass(order=True, frozen=True, slots=True)
class _Entry:
    """Sorts the most urgent first, and of equals the oldest."""

    urgency: int
    number: int
    run_id: str | None = field(compare=False)


class InProcessQueue:
    """Implements `apr.core.ports.JobQueue`: `threads` runs at once, each by `execute`.

    Whatever `execute` raises is its own to record. Used as a `with` block, whose end waits for the
    runs that are under way and forgets the others.
    """

    def __init__(self, execute: Callable[[str], object], threads: int = 1) -> None:
        self._execute = execute
        self._entries: queue.PriorityQueue[_Entry] = queue.PriorityQueue()
        self._count = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def __enter__(self) -> InProcessQueue:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for _thread in self._threads:
            self._put(10, None)
        for thread in self._threads:
            thread.join()

    def submit(self, submission: Submission) -> None:
        """See `JobQueue.submit`."""
        self._put(submission.priority, submission.run_id)

    def _put(self, priority: int, run_id: str | None) -> None:
        with self._lock:
            self._count += 1
            self._entries.put(_Entry(-priority, self._count, run_id))

    def depth(self) -> int:
        """See `JobQueue.depth`."""
        return self._entries.qsize()

    def _work(self) -> None:
        while True:
            run_id = self._entries.get().run_id
            if run_id is None or self._closed.is_set():
                return
            self._execute(run_id)
