"""Runs the official test command on a patched copy in a sandbox, and keeps all that it prints."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apr.core.errors import SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from apr.evaluation.application import Application, NewFile
from apr.evaluation.script import END, START, EvaluationScript

MOST_BYTES = 64 * 2**20
ENDING_S = 30.0
PLACE = "/testbed"
EXIT_CODE = ">>>>> Test Exit Code"
# Python compiles as it does in the official images. The archive of patched files is the only input.
RUN = r"""
exec 2>&1
rm -f -- "${@:2}" && tar -xf - && exec </dev/null || exit 125
unset PYTHONDONTWRITEBYTECODE
eval "$1"
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the tests of an instance run.

    `folder` holds the files of the base commit, `git_dir` its objects; both are only read.
    `prelude` are lines of shell that make the environment's programs the first to be found, and
    `environment` says what it is: a part of every record.
    """

    folder: Path
    git_dir: Path
    sandbox: Sandbox
    prelude: tuple[str, ...]
    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TestRun:
    """What the test command printed, and how it ended; no status: it was ended."""

    __test__ = False

    output: str
    exit_status: int | None
    timed_out: bool
    duration_s: float


def run_tests(
    ground: Ground, application: Application, script: EvaluationScript, timeout_s: float
) -> TestRun:
    """Run the script's command on the patched files.

    Raises:
        SandboxDiedError: when the sandbox fails.
    """
    started = time.monotonic()
    lines = "\n".join((*ground.prelude, *script.setup, "set -uxo pipefail", script.command))
    deleted = [path for path, file in application.files.items() if file is None]
    command = ["/bin/bash", "-c", RUN, "evaluate", lines, *deleted]
    chunks: list[bytes] = []
    timed_out = False
    with ground.sandbox.start(
        command, str(ground.folder), writable=True, environment={}
    ) as process:
        process.send(_archive(application.files))
        try:
            for chunk in _lines(process, started + timeout_s):
                chunks.append(chunk)
            status: int | None = process.wait(ENDING_S)
        except TimeoutError:
            timed_out, status = True, None
        except OverflowError:
            status = None
    output = b"\n".join(chunks).decode("utf-8", "replace")
    return TestRun(output, status, timed_out, time.monotonic() - started)


def _lines(process: SandboxProcess, deadline: float) -> Iterator[bytes]:
    """Everything that is printed until the process ends.

    Raises:
        TimeoutError: when that takes too long.
        OverflowError: when it is more than is kept.
    """
    left = MOST_BYTES
    while left > 0:
        try:
            line = process.receive_line(max(0.0, deadline - time.monotonic()))
        except SandboxDiedError:
            return
        left -= len(line) + 1
        yield line
    process.kill()
    raise OverflowError


def _archive(files: Mapping[str, NewFile | None]) -> bytes:
    """The files that are there after the patch."""
    buffer = io.BytesIO()
    moment = time.time()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, file in files.items():
            if file is None:
                continue
            entry = tarfile.TarInfo(path)
            entry.mtime, entry.mode = moment, file.mode & 0o777
            if file.is_link:
                entry.type, entry.linkname = tarfile.SYMTYPE, os.fsdecode(file.data)
                archive.addfile(entry)
            else:
                entry.size = len(file.data)
                archive.addfile(entry, io.BytesIO(file.data))
    return buffer.getvalue()


def render_log(told: str, run: TestRun, timeout_s: float) -> str:
    """The log in the form that the official harness writes and the official grading reads.

    What the tests print cannot pass for a marker, and the exit status is the system's own word.
    """
    output = run.output.replace(">>>>> ", ">>>>>")
    end = "" if run.exit_status is None else f"+ : '{END}'\n{EXIT_CODE}: {run.exit_status}\n"
    late = f"\n\nTimeout error: {timeout_s:g} seconds exceeded." if run.timed_out else ""
    return f"{told}+ : '{START}'\n{output}\n{end}{late}"
