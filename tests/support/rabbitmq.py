"""A RabbitMQ of one's own, on private ports, with its own epmd and folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.postgres import free_port

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on the path changes the user
START_TIMEOUT_S = 90


@contextmanager
def rabbitmq_serving() -> Iterator[str]:
    """The URL of a server that ends with the block."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="apr-rabbit-"))
        stack.callback(shutil.rmtree, folder)
        port, names = free_port(), free_port()
        log = stack.enter_context((folder / "log").open("ab"))
        epmd = ["epmd", "-address", "127.0.0.1", "-port", str(names)]
        stack.enter_context(_running(epmd, log.fileno(), dict(os.environ)))
        environment = os.environ | {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": f"apr{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        server = stack.enter_context(_running([str(PROGRAM)], log.fileno(), environment))
        _wait(server, port, folder / "log")
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def _running(
    command: list[str], log: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone after the block, with whatever it has started."""
    process = subprocess.Popen(
        command, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait(30)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert server.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.settimeout(5)
                connection.sendall(b"AMQP\0\0\x09\x01")
                if connection.recv(1):
                    return
        except OSError:
            time.sleep(0.1)
