"""The installed program, run as a user runs it: in a process of its own, with its own data."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "benchmarks" / "demo"
BUGS = ROOT / "tests" / "fixtures" / "bugs"
LIMIT_S = 240


class Apr:
    """Runs `apr` with a private data folder."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("APR_")},
            "APR_DATA_DIR": str(folder / "data"),
            "GIT_CEILING_DIRECTORIES": str(folder),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def __call__(self, *argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """The finished process."""
        return subprocess.run(
            self.command(*argv),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def command(self, *argv: object) -> list[str]:
        return [sys.executable, "-m", "apr.cli.main", *(str(word) for word in argv)]

    def start(self, *argv: object) -> subprocess.Popen[str]:
        """A process that is to be interrupted; its standard error can be read line by line."""
        return subprocess.Popen(
            self.command(*argv),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )

    def stop_after(
        self, wait_for: Callable[[], bool], number: signal.Signals, *argv: object
    ) -> int:
        """Start, send a signal as soon as `wait_for` holds, and return the exit status."""
        process = self.start(*argv)
        deadline = time.monotonic() + LIMIT_S
        while not wait_for() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate(timeout=60)
        return process.returncode


def heed_interrupts() -> None:
    """A shell's background job, such as a CI's, has its children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def nodes_saved(data: Path) -> int:
    """The nodes in the database of a data folder, which may be in use or not yet there."""
    try:
        address = f"file:{data}/apr.db?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as database:
            return int(database.execute("select count(*) from nodes").fetchone()[0])
    except sqlite3.Error:
        return 0


def tree_of(apr: Apr, run: str = "last", leave_out: frozenset[str] = frozenset()) -> list[Any]:
    """The run's nodes, without the fields named."""
    nodes = json.loads(apr("tree", run, "--format", "json").stdout)["nodes"]
    return [{k: v for k, v in node.items() if k not in leave_out} for node in nodes]


def snapshot(folder: Path) -> Mapping[str, tuple[bytes, float]]:
    """Every file with its bytes and modification time."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
