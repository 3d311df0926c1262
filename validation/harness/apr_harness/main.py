"""Entry point inside the sandbox: read the configuration, run or serve the tests, report."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

from apr_harness.channel import claim_streams, decode, open_commands
from apr_harness.cover import Cover
from apr_harness.forkpoint import ForkPoint, fail
from apr_harness.recorder import Recorder, exit_now
from apr_harness.scratch import Upkeep


def main() -> None:
    """Serve one session; never returns."""
    commands = open_commands()
    config: dict[str, Any] = decode(commands.readline().decode())
    channel = claim_streams(config["mode"] == "serve", config.pop("secret"))
    root = os.getcwd()
    upkeep = Upkeep()
    _prepare_path(root)
    sys.dont_write_bytecode = not config.get("write_bytecode")
    recorder = Recorder(channel, root)
    point = None
    if config["mode"] == "serve":
        watched = [os.path.join(root, path) for path in config["watched"]]
        point = ForkPoint(commands, channel, watched, upkeep)
        point.imports.watch_sources()
    try:
        driver = _load_driver(config["runner"])
    except ImportError as error:
        fail(channel, f"{sys.executable} cannot import {config['runner']}: {error}")
    cover = _open_cover(root, config) if config.get("coverage") else None
    if cover is not None:
        recorder.on_test = cover.switch
    _hide()
    try:
        status = driver.run(config, recorder, point)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        if not recorder.began:
            fail(channel, traceback.format_exc())
        # A test has broken out of the framework: it has ended its process, and no more.
        traceback.print_exc()
        exit_now(1)
    if cover is not None:
        cover.send(channel)
    upkeep.tell(channel, bytecode=bool(config.get("write_bytecode")))
    channel.send(k="end", status=status, stopped=recorder.stopped)
    exit_now(status)


def _hide() -> None:
    """Let nothing in the subject find the harness by its name."""
    for name in list(sys.modules):
        if name.partition(".")[0] == __package__:
            del sys.modules[name]


def _open_cover(root: str, config: dict[str, Any]) -> Cover | None:
    """None when this interpreter can use neither its own coverage.py nor the host's."""
    try:
        return Cover(root, config["toolbox"])
    except Exception:
        return None


def _prepare_path(root: str) -> None:
    """Importable are the subject's root and its `src`, as after an editable install."""
    source = os.path.join(root, "src")
    if os.path.isdir(source):
        sys.path.insert(0, source)
    sys.path.insert(0, root)


def _load_driver(runner: str) -> Any:
    if runner == "pytest":
        from apr_harness import pytest_driver

        return pytest_driver
    from apr_harness import unittest_driver

    return unittest_driver
