"""Brings back what was lost: the runs of dead workers, and runs whose message is gone.

The store knows every run in the queue's care, so the broker may lose all that it has.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from apr.core.errors import AprError
from apr.core.ports import JobQueue, SubmissionStore
from apr.core.run import Submission

log = logging.getLogger("apr.reaper")


class Reaper:
    """Looks at the store and the queue now and then; any number of them may do so at once."""

    def __init__(self, store: SubmissionStore, queue: JobQueue, every_s: float) -> None:
        self._store = store
        self._queue = queue
        self._every_s = every_s
        self._missing: frozenset[Submission] = frozenset()

    def run(self, stop: threading.Event) -> None:
        """Look every few seconds until told to stop; what cannot be reached is tried again."""
        while not stop.wait(self._every_s):
            try:
                self.look()
            except AprError as error:
                log.warning("cannot look for lost runs: %s", error)

    def look(self) -> None:
        """Submit again whatever an owner has let go, and what has no message twice in a row.

        There are too few messages when there are fewer than runs that wait. A moment later that
        may be otherwise, since a message is taken a little before its run is begun.
        """
        for submission in self._store.reclaim():
            log.warning("run %s is taken over from a lost worker", submission.run_id)
            self._queue.submit(submission)
        waiting = self._store.waiting()
        missing = frozenset(waiting) if self._queue.depth() < len(waiting) else frozenset()
        self._resubmit([run for run in waiting if run in missing & self._missing])
        self._missing = missing

    def _resubmit(self, submissions: Sequence[Submission]) -> None:
        for submission in submissions:
            log.warning("run %s has lost its message and is sent again", submission.run_id)
            self._queue.submit(submission)
