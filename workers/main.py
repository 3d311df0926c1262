"""Runs a worker: Celery's processes, and beside them the reaper and the server for metrics."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from celery import Celery, signals

from apr.bootstrap import bootstrap
from apr.core.errors import BadInputError
from apr.settings import AppSettings
from workers.app import QUEUES, RUNS, make_app
from workers.drain import Draining
from workers.health import serving_health
from workers.logs import log_as_json
from workers.queue import CeleryQueue
from workers.reaper import Reaper
from workers.tasks import Executor, register


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`processes` at once serve the queues; `health_port` None: no server for metrics."""

    queues: tuple[str, ...] = QUEUES
    processes: int = 1
    health_port: int | None = None
    log_level: str = "info"


def run_worker(settings: AppSettings, options: WorkerOptions) -> None:
    """Work until SIGTERM or SIGINT; then hand back what is under way, and return.

    Raises:
        BadInputError: when a queue does not exist, or there is no broker.
        StoreError: when the database cannot be opened.
    """
    check_queues(options.queues)
    app = make_app(settings)
    queue = CeleryQueue(app)
    draining = Draining()
    executor = Executor(settings, queue, draining)
    register(app, executor)
    log_as_json(options.log_level)
    store = bootstrap(settings).store
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_process_shutdown.connect(lambda **_: executor.close(), weak=False)
    signals.worker_shutting_down.connect(lambda **_: draining.begin(), weak=False)
    health = (
        nullcontext()
        if options.health_port is None
        else serving_health(options.health_port, store, queue, draining)
    )
    with (
        health,
        _reaping(Reaper(store, queue, settings.lease_s / 3), wanted=RUNS in options.queues),
    ):
        _work(app, options)


def check_queues(names: Sequence[str]) -> None:
    """Raises BadInputError for a queue that does not exist."""
    for name in names:
        if name not in QUEUES:
            raise BadInputError(f"there is no queue {name!r}; there are {', '.join(QUEUES)}")


def _keep_logging(**_: object) -> None:
    """Whoever listens to `setup_logging` keeps Celery from doing it."""


@contextmanager
def _reaping(reaper: Reaper, *, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=reaper.run, args=(stop,), name="reaper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _work(app: Celery, options: WorkerOptions) -> None:
    worker = app.Worker(
        hostname=f"apr-{os.getpid()}@{os.uname().nodename}",
        queues=",".join(options.queues),
        concurrency=options.processes,
        pool="prefork",
        loglevel=options.log_level.upper(),
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
