"""What a JobQueue promises, kept by Celery on a real Redis and by the queue of one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from apr.core.errors import BadInputError, QueueUnavailableError, RunElsewhereError
from apr.core.ports import JobQueue
from apr.core.run import RepairRun, Submission
from apr.service import Service
from apr.settings import AppSettings
from support.postgres import free_port
from support.services import RedisServer
from workers.app import RUNS, make_app
from workers.deployment import make_queue
from workers.local import LocalQueue
from workers.queue import CeleryQueue

Consume = Callable[[int], list[str]]


@pytest.fixture(params=["celery", "local"])
def queue(request: pytest.FixtureRequest) -> Iterator[tuple[JobQueue, Consume]]:
    """A queue, and what takes so many runs out of it."""
    if request.param == "local":
        yield local_queue()
        return
    redis_server: RedisServer = request.getfixturevalue("redis_server")
    redis_server.flush()
    app = make_app(AppSettings(broker_url=SecretStr(redis_server.url)))

    def consume(count: int) -> list[str]:
        with app.connection_for_read() as connection:
            simple = connection.SimpleQueue(RUNS, no_ack=True)
            got = [simple.get(timeout=10).payload[0][0] for _ in range(count)]
            simple.close()
            return got

    yield CeleryQueue(app), consume
    app.close()


class Executed(Service):
    """A service that only writes down what it is to execute."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def execute_submitted(self, run_id: str, *_: object, **__: object) -> RepairRun:
        self.ids.append(run_id)
        raise RunElsewhereError("not here")


def local_queue() -> tuple[JobQueue, Consume]:
    service = Executed()
    local = LocalQueue(service, 1)

    def consume(count: int) -> list[str]:
        local.start()
        deadline = time.monotonic() + 10
        while len(service.ids) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        local.stop()
        return service.ids

    return local, consume


def test_the_most_urgent_comes_first_and_of_equals_the_oldest(
    queue: tuple[JobQueue, Consume],
) -> None:
    jobs, consume = queue
    assert jobs.depth() == 0
    for run_id, priority in (("a", 0), ("b", 0), ("c", 9), ("d", 4)):
        jobs.submit(Submission(run_id, priority))
    assert jobs.depth() == 4
    assert consume(4) == ["c", "d", "a", "b"]
    assert jobs.depth() == 0


def test_a_broker_that_is_not_there_is_one_sentence_without_its_password() -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    jobs = make_queue(AppSettings(broker_url=SecretStr(url)))
    for use in (lambda: jobs.submit(Submission("r")), jobs.depth):
        with pytest.raises(QueueUnavailableError, match="the broker cannot be reached") as caught:
            use()
        assert "hunter2" not in str(caught.value)
    with pytest.raises(BadInputError, match="APR_BROKER_URL"):
        make_queue(AppSettings())
