"""The tasks: each calls the service, which knows what is to be done."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import cached_property, partial

from celery import Celery

from apr.bootstrap import bootstrap
from apr.core.errors import AprError, QueueUnavailableError, RunElsewhereError, RunHandedBackError
from apr.core.run import Submission
from apr.helping import Helper
from apr.service import Service
from apr.settings import AppSettings
from workers.app import VALIDATION, is_redis
from workers.board import RedisBoard
from workers.drain import Draining, Turn
from workers.limits import SharedWindow
from workers.logs import about_run
from workers.queue import EXECUTE_RUN, HELP_VALIDATE, CeleryQueue

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
        url = self._redis_url
        open_window = None if url is None else partial(SharedWindow, url)
        return bootstrap(self._settings, is_patient=True, open_window=open_window)

    @property
    def _redis_url(self) -> str | None:
        """None on a broker that is no Redis."""
        url = self._settings.broker_url
        secret = None if url is None else url.get_secret_value()
        return secret if secret is not None and is_redis(secret) else None

    @cached_property
    def board(self) -> RedisBoard | None:
        """Where searchers and helpers meet; None on a broker that is no Redis."""
        url = self._redis_url
        return None if url is None else RedisBoard(url, self._call_helpers)

    def _call_helpers(self, run_id: str, count: int = 1) -> None:
        with suppress(QueueUnavailableError):
            self._queue.call_helpers(run_id, count)

    @cached_property
    def helper(self) -> Helper:
        """Keeps validators warm from task to task."""
        assert self.board is not None
        return Helper(self.service.store, self.board, self.service.tracing)

    def help_validate(self, run_id: str) -> None:
        """Judge patches for the searcher of a run, for a while."""
        if self.board is None:
            return
        began = time.monotonic()
        most_s = max(self._settings.help_s, self._settings.task_limit_s / 2)

        def hand_back() -> str | None:
            helped_s = time.monotonic() - began
            if self._draining:
                return "its worker is stopping"
            if helped_s >= self._settings.help_s and self._queue.depth(VALIDATION):
                return "others need help too"
            return "its time is up" if helped_s >= most_s else None

        with about_run(run_id):
            try:
                log.info("helped with %d patches", self.helper.help(run_id, hand_back))
            except RunHandedBackError as error:
                log.info("helps no longer: %s", error)
                self._call_helpers(run_id)
            except AprError as error:
                log.warning("cannot help: %s", error)

    def close(self) -> None:
        """End what is kept warm, and send what is left of traces."""
        if "helper" in self.__dict__:
            self.helper.__exit__()
        if "service" in self.__dict__:
            self.service.tracing.close()

    def execute_run(self, run_id: str) -> None:
        """Execute a run, unless it is no longer in the queue's care.

        What fails here is kept with the run, or its lease or missing message brings it back.
        """
        with about_run(run_id):
            try:
                submission = self.service.store.submission(run_id)
                if submission is not None:
                    self._execute(submission)
            except RunElsewhereError as error:
                log.info("not executed here: %s", error)
            except AprError as error:
                log.warning("failed: %s", error)

    def _execute(self, submission: Submission) -> None:
        store = self.service.store
        turn = Turn(store, submission.priority, self._settings.slice_s, self._draining)
        log.info("begins")
        try:
            run = self.service.execute_submitted(
                submission.run_id, turn, may_repeat=True, board=self.board
            )
            log.info("ended: %s (%s)", run.status.value, run.message)
        except RunHandedBackError as error:
            log.info("handed back: %s", error)
            if error.__cause__ is None:  # else not at once: the reaper will miss its message
                self._queue.submit(submission)


def register(app: Celery, executor: Executor) -> None:
    """Make the application's workers answer to the tasks' names."""

    @app.task(name=EXECUTE_RUN)
    def execute_run(run_id: str) -> None:
        executor.execute_run(run_id)

    @app.task(name=HELP_VALIDATE)
    def help_validate(run_id: str) -> None:
        executor.help_validate(run_id)
