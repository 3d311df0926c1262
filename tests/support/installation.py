"""Commands and workers that share a database and a broker, as in a real installation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from apr.bootstrap import open_proposer
from apr.service import Service
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
from apr.storage.replies import SqlReplyStore
from apr.storage.store import SqlRunStore
from support.e2e import Apr
from support.services import WorkerProcess

LEASE_S = 2


class Installation:
    """Commands and workers that share a database and a broker."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self.folder = folder
        self.apr = Apr(folder)
        self.apr.environment |= {
            "APR_DATABASE_URL": database_url,
            "APR_BROKER_URL": broker_url,
            "APR_LEASE_S": str(LEASE_S),
        }
        self._engine = make_engine(database_url)
        ensure_schema(self._engine)
        proposing = partial(open_proposer, SqlReplyStore(self._engine))
        self.service = Service(SqlRunStore(self._engine), proposing)
        self._workers: list[WorkerProcess] = []

    def start_worker(self, *options: object, ready: bool = True) -> WorkerProcess:
        """A worker for runs, with one process unless the options say otherwise."""
        log = self.folder / f"worker{len(self._workers)}.log"
        worker = WorkerProcess(self.apr.environment, log, "--processes", 1, *options)
        self._workers.append(worker)
        if ready:
            worker.wait_ready()
        return worker

    def close(self) -> None:
        """End the workers that are left."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill_all()
        self._engine.dispose()
