"""The job queue on Celery's broker."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from apr.core.errors import QueueUnavailableError
from apr.core.run import Submission
from workers.app import RUNS, URGENCIES, VALIDATION, is_redis

EXECUTE_RUN = "apr.execute_run"
HELP_VALIDATE = "apr.help_validate"
_RETRY = {"max_retries": 2, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 1.0}


class CeleryQueue:
    """Implements `apr.core.ports.JobQueue`."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def submit(self, submission: Submission) -> None:
        """See `JobQueue.submit`."""
        self._send(EXECUTE_RUN, RUNS, submission.run_id, submission.priority)

    def call_helpers(self, run_id: str, count: int) -> None:
        """Ask for helpers of a run's searcher; with the calls unanswered there are so many."""
        for _ in range(count - self.depth(VALIDATION)):
            self._send(HELP_VALIDATE, VALIDATION, run_id, 0)

    def _send(self, task: str, queue: str, run_id: str, priority: int) -> None:
        lowest_first = is_redis(self._app.conf.broker_url)
        try:
            self._app.send_task(
                task,
                [run_id],
                queue=queue,
                priority=URGENCIES - 1 - priority if lowest_first else priority,
                retry_policy=_RETRY,
            )
        except (OperationalError, OSError) as error:
            raise _unavailable(error) from error

    def depth(self, queue: str = RUNS) -> int:
        """See `JobQueue.depth`."""
        try:
            with self._app.connection_for_read() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.1)
                declared = connection.default_channel.queue_declare(queue, passive=True)
                return int(declared.message_count)
        except ChannelError:  # nothing was ever sent there, or all of it is taken
            return 0
        except (OperationalError, OSError, *self._app.connection_for_read().connection_errors) as e:
            raise _unavailable(e) from e


def _unavailable(error: BaseException) -> QueueUnavailableError:
    """The error without the broker's address, which may hold a password."""
    what = type(error.__cause__ or error).__name__
    return QueueUnavailableError(
        f"the broker cannot be reached ({what}): check that it runs and APR_BROKER_URL is right"
    )
