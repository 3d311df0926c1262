"""Real servers for the tests: a Redis of one's own, and worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from support.postgres import free_port

START_TIMEOUT_S = 30
LOOPBACK = "127.0.0.1"


class RedisServer:
    """A server with a folder of its own, that can be killed and started again on its port."""

    def __init__(
        self, folder: Path, port: int, fsync: str = "always", hosts: Sequence[str] = (LOOPBACK,)
    ) -> None:
        self.folder = folder
        self._fsync = fsync
        self._hosts = hosts
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        argv = ["redis-server", "--port", self.port, "--bind", *self._hosts, "--dir", self.folder]
        argv += ["--protected-mode", "no"]  # which would refuse whoever is not on the loopback
        argv += ["--appendonly", "yes", "--appendfsync", self._fsync, "--save", ""]
        with (self.folder / "log").open("ab") as log:
            command = [str(word) for word in argv]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        client = redis.Redis(port=self.port, socket_connect_timeout=1)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                client.ping()
                break
            except redis.exceptions.RedisError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.05)
        client.close()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        """A connection to it."""
        return redis.Redis(port=self.port, decode_responses=True)

    def flush(self) -> None:
        """Forget everything."""
        with self.client() as client:
            client.flushall()

    def kill(self, *, data: bool = False) -> None:
        """End it at once, and its data too if asked to."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(START_TIMEOUT_S)
        if data:
            for path in self.folder.glob("appendonlydir*"):
                shutil.rmtree(path)


@contextmanager
def redis_serving(
    fsync: str = "always", hosts: Sequence[str] = (LOOPBACK,)
) -> Iterator[RedisServer]:
    """A server that ends with the block; `fsync` says when it has its disk write."""
    folder = Path(tempfile.mkdtemp(prefix="apr-redis-"))
    server = RedisServer(folder, free_port(), fsync, hosts)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


class WorkerProcess:
    """An `apr worker` with its own log."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        *options: object,
        inside: Sequence[str] = (),
    ) -> None:
        """`inside`: a command that runs the worker somewhere else, in its own place."""
        self.log = log
        command = [*inside, sys.executable, "-m", "apr.cli.main", "worker", *map(str, options)]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=dict(environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until(self, text: str, timeout_s: float = 60) -> None:
        """Wait until the log says so."""
        deadline = time.monotonic() + timeout_s
        while text not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def wait_ready(self) -> None:
        """Wait until it takes messages."""
        self.wait_until(" ready.")

    def children(self) -> list[int]:
        """The processes that execute tasks."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(word) for word in listed.stdout.split()]

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Send a signal and wait for the end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def kill_all(self) -> None:
        """`kill -9` for it and its processes."""
        for pid in (self.process.pid, *self.children()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(START_TIMEOUT_S)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the session's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("Redis's server program (redis-server) is not installed")
    with redis_serving() as server:
        yield server
