"""Worker processes that run the bugs of a benchmark side by side.

Each has a process group of its own, so that Ctrl-C reaches this process alone, which passes it
on once: every run under way is saved, its sandboxes end, and nothing is left. When this process
is killed, the workers find their pipe closed and end in the same way.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from apr.bench.journal import ERROR
from apr.bench.records import BugRecord, Protocol
from apr.core.bug import Bug
from apr.core.errors import AprError
from apr.datasets.dataset import Dataset

if TYPE_CHECKING:
    from apr.service import Service

STOP_S = 60.0
"""How long a worker may take to save its run."""
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


@dataclass(frozen=True, slots=True)
class Task:
    """One bug to run under one protocol."""

    bug: Bug
    protocol: Protocol


Keep = Callable[[Task, BugRecord], None]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    task: Task


def run_side_by_side(
    tasks: Sequence[Task],
    dataset: Dataset,
    size: int,
    keep: Keep,
    tell: Callable[[Sequence[Task]], None],
) -> None:
    """Run the tasks in at most `size` processes; `keep` gets each record, in this process.

    `tell` hears what is under way whenever that has changed. What breaks a worker, the kernel
    included, is an error of its bug, and another worker takes its place.

    Raises:
        KeyboardInterrupt: when the user stopped it; whatever was finished has been kept.
    """
    pending = list(tasks)
    crew: list[_Worker] = []
    try:
        while pending or crew:
            while pending and len(crew) < size:
                crew.append(_start(_take(pending, crew), dataset))
            tell([worker.task for worker in crew])
            for connection in wait([worker.connection for worker in crew]):
                worker = next(each for each in crew if each.connection is connection)
                record = _receive(worker)
                keep(worker.task, record or _failure(worker))
                if record is None or not pending:
                    crew.remove(worker)
                    _dismiss(worker)
                else:
                    _assign(worker, _take(pending, crew))
    finally:
        _stop(crew, keep)


def _take(pending: list[Task], crew: Sequence[_Worker]) -> Task:
    """The next task, if possible of a bug that nobody is busy with and may be measuring."""
    busy = {worker.task.bug.name for worker in crew}
    free = (index for index, task in enumerate(pending) if task.bug.name not in busy)
    return pending.pop(next(free, 0))


def _start(task: Task, dataset: Dataset) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # Its own start would unblock the signals again.
    resource_tracker.ensure_running()
    process = context.Process(target=serve, args=(theirs, dataset), name="apr-bench")
    with _blocked_signals():
        process.start()
    theirs.close()
    worker = _Worker(process, ours, task)
    _assign(worker, task)
    return worker


def _assign(worker: _Worker, task: Task) -> None:
    worker.task = task
    with contextlib.suppress(OSError):  # it has ended already, which is noticed in its turn
        worker.connection.send(task)


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """Signals wait until the end of the block; a process started in it begins with them waiting."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _receive(worker: _Worker) -> BugRecord | None:
    """The record of the worker's task; None when the worker has ended without one."""
    try:
        record: BugRecord = worker.connection.recv()
    except (EOFError, OSError):
        return None
    return record


def _failure(worker: _Worker) -> BugRecord:
    """The record of a task whose worker has ended before it was done."""
    worker.process.join(STOP_S)
    code = worker.process.exitcode
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended: {code}"
    return BugRecord(worker.task.bug.name, ERROR, message=f"the worker process {how}")


def _dismiss(worker: _Worker) -> None:
    with contextlib.suppress(OSError):
        worker.connection.send(None)
    worker.process.join(STOP_S)


def _stop(crew: Sequence[_Worker], keep: Keep) -> None:
    """End the workers as Ctrl-C would, and keep what they had finished; a second one kills them."""
    try:
        for worker in crew:
            if worker.process.pid is not None and worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGINT)
        for worker in crew:
            worker.process.join(STOP_S)
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()
            if worker.connection.poll() and (record := _receive(worker)) is not None:
                keep(worker.task, record)


def serve(connection: Connection, dataset: Dataset) -> None:
    """A worker's life: run what the connection brings, until it brings None or breaks."""
    os.setpgid(0, 0)
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _work(_listen(connection), connection, dataset)


def _work(inbox: queue.SimpleQueue[Task | None], connection: Connection, dataset: Dataset) -> None:
    from apr.cli.benchmark import run_bug
    from apr.cli.request import open_service

    service: Service | None = None
    while (task := inbox.get()) is not None:
        try:
            service = service or open_service()
            record = run_bug(service, dataset, task.bug, task.protocol, _ignore)
        except AprError as error:
            record = BugRecord(task.bug.name, ERROR, message=str(error))
        except Exception as error:  # noqa: BLE001 - of one bug among many: kept with its record
            record = BugRecord(task.bug.name, ERROR, message=_describe_crash(error))
        connection.send(record)


def _listen(connection: Connection) -> queue.SimpleQueue[Task | None]:
    """What the connection brings; its end interrupts the main thread."""
    inbox: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    main = threading.get_ident()

    def read() -> None:
        try:
            while True:
                inbox.put(task := connection.recv())
                if task is None:
                    return
        except (EOFError, OSError):
            signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=read, daemon=True).start()
    return inbox


def _describe_crash(error: Exception) -> str:
    from apr.cli.guard import save_crash

    return f"unexpected error ({type(error).__name__}: {error}); {save_crash(error)}"


def _ignore(kind: str, data: Mapping[str, Any]) -> None:
    """Nobody watches a single run."""
