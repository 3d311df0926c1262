"""An installation with real servers: PostgreSQL, Redis, and workers that a test starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.installation import Installation
from support.services import RedisServer


@pytest.fixture(scope="module", autouse=True)
def subjects_python(plain_python: None) -> None:
    """What subjects are run by."""


@pytest.fixture
def installation(
    tmp_path: Path, postgres_url: str, redis_server: RedisServer
) -> Iterator[Installation]:
    redis_server.flush()
    made = Installation(tmp_path, postgres_url, redis_server.url)
    yield made
    made.close()


@pytest.fixture
def processes_below() -> Callable[[int], list[int]]:
    """The living descendants of a process, by their parents, as /proc has them."""

    def descend(root: int) -> list[int]:
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                except OSError:
                    continue
                if fields[0] != b"Z":
                    children.setdefault(int(fields[1]), []).append(int(folder.name))
        found, pending = [], [root]
        while pending:
            pending += (below := children.get(pending.pop(), []))
            found += below
        return [pid for pid in found if pid != os.getpid()]

    return descend
