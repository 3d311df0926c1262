"""A switch ends what runs in any sandbox, and nobody gets a result of it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from apr.core.errors import RunCancelledError, RunHandedBackError, SandboxDiedError
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.process import ProcessSandbox
from validation.sandbox.switch import Switch

SLEEP = ("/bin/sh", "-c", "echo begun; sleep 60")
REASON = RunCancelledError("enough")


def test_turning_off_ends_what_runs_and_names_the_reason(tmp_path: Path) -> None:
    switch = Switch()
    sandbox = switch.guard(ProcessSandbox(SandboxPolicy()))
    began = time.monotonic()
    with (
        pytest.raises(RunCancelledError, match="enough"),
        sandbox.start(SLEEP, str(tmp_path), writable=False, environment={}) as process,
    ):
        assert process.receive_line(30) == b"begun"
        threading.Timer(0.1, switch.turn_off, [REASON]).start()
        with pytest.raises(SandboxDiedError):
            process.receive_line(50)
    assert time.monotonic() - began < 30


def test_nothing_starts_once_it_is_off_and_the_first_reason_holds(tmp_path: Path) -> None:
    switch = Switch()
    sandbox = switch.guard(ProcessSandbox(SandboxPolicy()))
    switch.check()
    switch.turn_off(REASON)
    switch.turn_off(RunHandedBackError("another"))
    assert switch.reason is REASON
    with (
        pytest.raises(RunCancelledError),
        sandbox.start(SLEEP, str(tmp_path), writable=False, environment={}),
    ):
        pytest.fail("it was started")


def test_a_result_that_came_before_is_not_used_either(tmp_path: Path) -> None:
    switch = Switch()
    sandbox = switch.guard(ProcessSandbox(SandboxPolicy()))
    command = ("/bin/sh", "-c", "echo done")
    with (
        pytest.raises(RunCancelledError),
        sandbox.start(command, str(tmp_path), writable=False, environment={}) as process,
    ):
        assert process.receive_line(30) == b"done"
        switch.turn_off(REASON)
