"""A PostgreSQL server of one's own, that can be killed and started again on its port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

START_TIMEOUT_S = 30


def find_programs() -> Path | None:
    """The folder of initdb and postgres; None where they are not installed."""
    on_path = shutil.which("initdb")
    if on_path and shutil.which("postgres"):
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PostgresServer:
    """`url` is that of its first database; `is_durable` says whether commits wait for the disk."""

    def __init__(
        self,
        programs: Path,
        folder: Path,
        *,
        is_durable: bool = False,
        hosts: Sequence[str] = ("127.0.0.1",),
    ) -> None:
        self._programs = programs
        self._hosts = hosts
        self._folder = folder
        self._fsync = "on" if is_durable else "off"
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            self._account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        self.port = free_port()
        self.url = f"postgresql+psycopg://apr@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "apr", "-A", "trust", "-N", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **self._account)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host all all {host}/24 trust\n" for host in hosts)

    def start(self) -> None:
        """Start, and wait until it answers."""
        arguments = ["-h", ",".join(self._hosts), "-p", str(self.port), "-k", self._folder]
        arguments += ["-c", f"fsync={self._fsync}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *arguments],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                **self._account,
            )
        self._wait()

    def _wait(self) -> None:
        engine = create_engine(self.url)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                engine.connect().close()
                break
            except OperationalError:
                said = (self._folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, f"PostgreSQL did not start: {said}"
                time.sleep(0.05)
        engine.dispose()

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it at once: no connection is closed in order, and the next start recovers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(START_TIMEOUT_S)


@contextmanager
def postgres_serving(
    programs: Path, *, is_durable: bool = False, hosts: Sequence[str] = ("127.0.0.1",)
) -> Iterator[PostgresServer]:
    """A server that ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="apr-pg-"))
    try:
        server = PostgresServer(programs, folder, is_durable=is_durable, hosts=hosts)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
