"""RabbitMQ carries runs as well as Redis does; only helpers need Redis."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from apr.core.run import RunStatus, Submission
from apr.settings import AppSettings
from support.e2e import BUGS, Apr, tree_of
from support.installation import Installation
from support.rabbitmq import PROGRAM, rabbitmq_serving
from support.waiting import until
from workers.app import make_app
from workers.queue import CeleryQueue

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]
FIX = ("fix", BUGS / "two_edits" / "subject", "--candidates", 40, "--seed", 3, "--jobs", 1)


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[str]:
    if not PROGRAM.exists() or shutil.which("epmd") is None:
        pytest.skip("RabbitMQ's server program (rabbitmq-server) is not installed")
    with rabbitmq_serving() as url:
        yield url


def test_a_run_survives_its_process_on_rabbitmq(
    tmp_path: Path, postgres_url: str, rabbitmq: str
) -> None:
    here = Apr(tmp_path / "here")
    alone = here(*FIX)
    app = make_app(AppSettings(broker_url=SecretStr(rabbitmq)))
    queue = CeleryQueue(app)
    assert queue.depth() == 0
    queue.submit(Submission("nobody-knows-it", 9))
    assert queue.depth() == 1
    installation = Installation(tmp_path, postgres_url, rabbitmq)
    try:
        worker = installation.start_worker()
        process = installation.apr.start(*FIX, "--distributed", "--priority", 3)
        until(lambda: installation.service.list_runs(limit=1))
        run = installation.service.list_runs(limit=1)[0]
        until(lambda: len(installation.service.tree(run.id)) > 5)
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout) == (alone.returncode, alone.stdout), stderr
        assert tree_of(installation.apr) == tree_of(here)
        assert installation.service.get_run(run.id).status is not RunStatus.QUEUED
        assert worker.stop() == 0
        assert queue.depth() == 0
    finally:
        installation.close()
        app.close()
