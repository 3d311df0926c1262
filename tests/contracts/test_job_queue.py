"""What every JobQueue promises: threads of this process, and Celery on a real Redis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from apr.core.errors import BadInputError, QueueUnavailableError
from apr.core.ports import JobQueue
from apr.core.run import Submission
from apr.queueing import InProcessQueue
from apr.settings import AppSettings
from support.postgres import free_port
from support.services import RedisServer
from workers.app import RUNS, make_app
from workers.deployment import make_queue
from workers.queue import CeleryQueue

Consume = Callable[[int], list[str]]


@contextmanager
def in_process() -> Iterator[tuple[JobQueue, Consume]]:
    """A queue whose only thread is busy until the ids are asked for."""
    taken: list[str] = []
    begin, enough = threading.Event(), threading.Event()

    def execute(run_id: str) -> None:
        begin.wait(30)
        taken.append(run_id)
        if len(taken) > 4:
            enough.set()

    def consume(count: int) -> list[str]:
        begin.set()
        assert enough.wait(30)
        return taken[1:]

    with InProcessQueue(execute) as queue:
        queue.submit(Submission("first"))
        while queue.depth():
            threading.Event().wait(0.01)
        yield queue, consume


@contextmanager
def on_redis(server: RedisServer) -> Iterator[tuple[JobQueue, Consume]]:
    server.flush()
    app = make_app(AppSettings(broker_url=SecretStr(server.url)))

    def consume(count: int) -> list[str]:
        with app.connection_for_read() as connection:
            simple = connection.SimpleQueue(RUNS, no_ack=True)
            got = [simple.get(timeout=10).payload[0][0] for _ in range(count)]
            simple.close()
            return got

    yield CeleryQueue(app), consume
    app.close()


@pytest.fixture(params=["in process", "celery"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[JobQueue, Consume]]:
    if request.param == "in process":
        with in_process() as made:
            yield made
    else:
        with on_redis(request.getfixturevalue("redis_server")) as made:
            yield made


def test_the_most_urgent_comes_first_and_of_equals_the_oldest(
    both: tuple[JobQueue, Consume],
) -> None:
    queue, consume = both
    assert queue.depth() == 0
    for run_id, priority in (("a", 0), ("b", 0), ("c", 9), ("d", 4)):
        queue.submit(Submission(run_id, priority))
    assert queue.depth() == 4
    assert consume(4) == ["c", "d", "a", "b"]
    assert queue.depth() == 0


def test_a_broker_that_is_not_there_is_one_sentence_without_its_password() -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    queue = make_queue(AppSettings(broker_url=SecretStr(url)))
    for use in (lambda: queue.submit(Submission("r")), queue.depth):
        with pytest.raises(QueueUnavailableError, match="the broker cannot be reached") as caught:
            use()
        assert "hunter2" not in str(caught.value)
    with pytest.raises(BadInputError, match="APR_BROKER_URL"):
        make_queue(AppSettings())
