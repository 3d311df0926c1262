"""A real S3-compatible HTTP server: moto's, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from support.postgres import free_port

START_TIMEOUT_S = 60


@contextmanager
def s3_serving() -> Iterator[dict[str, str]]:
    """The environment variables that lead to it; the server ends with the block."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
            cwd=Path(tempfile.gettempdir()),
        )
        try:
            _wait(server, address)
            yield {
                "AWS_ENDPOINT_URL": address,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            server.kill()
            server.wait(30)


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert server.poll() is None, "moto's server ended"
        assert time.monotonic() < deadline
        try:
            urlopen(address, timeout=5).close()
            return
        except URLError:
            time.sleep(0.1)
