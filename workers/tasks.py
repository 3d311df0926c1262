"""The tasks: each calls the service, which knows what is to be done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property

from celery import Celery

from apr.bootstrap import bootstrap
from apr.core.errors import AprError, RunElsewhereError, RunHandedBackError
from apr.service import Service
from apr.settings import AppSettings
from workers.drain import Draining, Turn
from workers.logs import about_run
from workers.queue import EXECUTE_RUN, CeleryQueue

AGAIN_AFTER_S = 10
MAX_REPEATS = 30
"""So often is a run begun that a full disk, say, keeps from being executed."""
log = logging.getLogger("apr.worker")


class Executor:
    """Executes what messages ask for; every process of a worker has its own connections."""

    def __init__(self, settings: AppSettings, queue: CeleryQueue, draining: Draining) -> None:
        self._settings = settings
        self._queue = queue
        self._draining = draining

    @cached_property
    def service(self) -> Service:
        """Opened by the first task, so after the fork."""
        return bootstrap(self._settings, is_patient=True)

    def execute_run(self, run_id: str, repeats: int, repeat: Callable[[], object]) -> None:
        """Execute a run; `repeat` sends the message again, a little later, for what may pass."""
        submission = self.service.store.submission(run_id)
        if submission is None:
            return
        store, priority = self.service.store, submission.priority
        turn = Turn(store, priority, self._settings.slice_s, self._draining)
        with about_run(run_id):
            log.info("begins")
            try:
                may_repeat = repeats < MAX_REPEATS
                run = self.service.execute_submitted(run_id, turn, may_repeat=may_repeat)
                log.info("ended: %s (%s)", run.status.value, run.message)
            except RunElsewhereError as error:
                log.info("not executed here: %s", error)
            except RunHandedBackError as error:
                log.info("handed back: %s", error)
                again = error.__cause__ is not None
                repeat() if again else self._queue.submit(submission)
            except AprError as error:  # the run says so itself, or its lease brings it back
                log.warning("failed: %s", error)


def register(app: Celery, executor: Executor) -> None:
    """Make the application's workers answer to the tasks' names."""

    @app.task(name=EXECUTE_RUN, bind=True, max_retries=None)
    def execute_run(self: object, run_id: str) -> None:
        request, retry = self.request, self.retry  # type: ignore[attr-defined]
        executor.execute_run(
            run_id,
            request.retries,
            lambda: retry(countdown=AGAIN_AFTER_S, throw=False),
        )
