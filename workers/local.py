"""The job queue without a broker: runs are executed in this process, a few at once.

The store knows which runs wait, so what this queue forgets when the process ends is found again:
see `workers.reaper`.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading

from apr.core.errors import AprError, RunElsewhereError, RunHandedBackError
from apr.core.run import Submission
from apr.service import Service

log = logging.getLogger("apr.local")
_Item = tuple[int, int, str]


class LocalQueue:
    """Implements `apr.core.ports.JobQueue` with `threads` threads, once `start` was called."""

    def __init__(self, service: Service, threads: int) -> None:
        self._service = service
        self._waiting: queue.PriorityQueue[_Item] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._stopping: str | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"runs-{index}", daemon=True)
            for index in range(threads)
        ]

    def submit(self, submission: Submission) -> None:
        """See `JobQueue.submit`."""
        self._waiting.put((-submission.priority, next(self._numbers), submission.run_id))

    def depth(self) -> int:
        """See `JobQueue.depth`."""
        return self._waiting.qsize()

    def start(self) -> None:
        """Begin to execute."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hand back what is under way, which takes a second or two, and end."""
        self._stopping = "the server is stopping"
        for _ in self._threads:
            self._waiting.put((-100, next(self._numbers), ""))
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while self._stopping is None:
            _, _, run_id = self._waiting.get()
            if run_id and self._stopping is None:
                self._execute(run_id)

    def _execute(self, run_id: str) -> None:
        try:
            run = self._service.execute_submitted(run_id, lambda: self._stopping, may_repeat=True)
            log.info("run %s ended: %s", run_id, run.status.value)
        except RunElsewhereError as error:
            log.info("run %s is not executed here: %s", run_id, error)
        except RunHandedBackError as error:
            log.info("run %s is handed back: %s", run_id, error)
        except AprError as error:
            log.warning("run %s failed: %s", run_id, error)
        except Exception:
            log.exception("run %s failed", run_id)
