"""Entry point inside the sandbox: capture what a suite calls, or perform calls on demand."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any, BinaryIO

from apr_harness.channel import Channel, claim_streams, decode, open_commands
from apr_harness.main import _load_driver, _prepare_path
from apr_harness.recorder import Recorder, exit_now

from apr_probe.calls import Bench
from apr_probe.tracing import Capture

MAX_TIMEOUTS = 2


def main() -> None:
    """Serve one session; never returns."""
    commands = open_commands()
    config: dict[str, Any] = decode(commands.readline().decode())
    channel = claim_streams(True, config.pop("secret"))
    root = os.getcwd()
    _prepare_path(root)
    sys.path.extend(os.path.join(root, path) for path in config.get("path", ()))
    try:
        if config["mode"] == "capture":
            capture(config, channel, root)
        else:
            serve(config, channel, root, commands)
    except BaseException:
        channel.send(k="fatal", m=traceback.format_exc()[-2000:])
        exit_now(1)
    exit_now(0)


def capture(config: dict[str, Any], channel: Channel, root: str) -> None:
    """Run the suite, and send which calls it made, when it ends or its time is over."""
    recorder = Recorder(channel, root)

    def stop() -> None:
        channel.send(k="cut")
        _tell(tracing, channel, root, 1, True)
        exit_now(0)

    tracing = Capture(root, config["files"], config["targets"], config["seconds"], stop)
    recorder.on_test = tracing.switch
    driver = _load_driver(config["runner"])
    try:
        status = driver.run(config, recorder, None)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        tracing.switch("")
    _tell(tracing, channel, root, int(status), recorder.stopped)


def _tell(tracing: Capture, channel: Channel, root: str, status: int, stopped: bool) -> None:
    for message in tracing.messages():
        channel.send(**message)
    inside = [os.path.relpath(path, root) for path in sys.path if path.startswith(root + os.sep)]
    channel.send(k="path", path=inside)
    channel.send(k="end", status=status, stopped=stopped)


def serve(config: dict[str, Any], channel: Channel, root: str, commands: BinaryIO) -> None:
    """Import the modules, then answer every batch of calls from a child of its own."""
    lines = {os.path.join(root, path): numbers for path, numbers in config["lines"].items()}
    bench = Bench(root, lines)
    failed = {}
    for name in config["modules"]:
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed[name] = f"{type(error).__name__}: {error}"[:500]
    channel.send(k="ready", failed=failed)
    for line in commands:
        command = decode(line.decode())
        pid = os.fork()
        if pid == 0:
            _answer(bench, command, channel.fd)
        _, status = os.waitpid(pid, 0)
        channel.send(k="done", n=command["n"], status=status)


def _answer(bench: Bench, command: dict[str, Any], descriptor: int) -> None:
    """Perform the calls of one batch in this process, which ends with them."""
    channel = Channel(descriptor, command["secret"])
    timeouts = 0
    for call in command["calls"]:
        outcome = bench.perform(call, command["limit_s"], command["watched"])
        channel.send(k="outcome", o=outcome)
        timeouts += "timeout" in outcome
        if timeouts >= MAX_TIMEOUTS:
            break
    exit_now(0)
