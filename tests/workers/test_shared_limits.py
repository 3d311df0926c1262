"""A model endpoint's rate limit holds for all processes together, not for each."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from support.e2e import ROOT
from support.services import RedisServer
from workers.limits import SharedWindow

LIMIT, PERIOD_S, EACH = 12, 0.5, 30
ASK = """
import asyncio, sys, time
from functools import partial
from apr.llm.limits import Throttle
from workers.limits import SharedWindow

async def main(url, each, limit, period_s):
    throttle = Throttle(
        4, limit, 10 * limit, period_s, name="model", open_window=partial(SharedWindow, url)
    )

    async def call():
        async with throttle.turn(20) as turn:
            print(time.monotonic(), flush=True)
            await turn.correct(10)

    sys.stdin.readline()
    await asyncio.gather(*(call() for _ in range(each)))
    await throttle.close()

url, each, limit, period_s = sys.argv[1:]
asyncio.run(main(url, int(each), float(limit), float(period_s)))
"""


def test_two_processes_share_one_limit(redis_server: RedisServer) -> None:
    redis_server.flush()
    numbers = [str(number) for number in (EACH, LIMIT, PERIOD_S)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, redis_server.url, *numbers],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate("\n", timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [len(times) for times in said] == [EACH, EACH]
    at = sorted(float(time) for times in said for time in times)
    # What is told a moment after it was admitted may seem to be a little late.
    shorter_s = PERIOD_S * 0.8
    most = max(sum(start <= other < start + shorter_s for other in at) for start in at)
    assert LIMIT / 2 < most <= LIMIT


def test_the_first_to_come_is_not_overtaken_for_ever(redis_server: RedisServer) -> None:
    """Small requests would otherwise fill every gap before a large one fits."""
    redis_server.flush()

    async def run() -> tuple[int, bool]:
        windows = [SharedWindow(redis_server.url, "m tokens", 10, 0.4) for _ in range(2)]
        await windows[0].take(6)
        large = asyncio.create_task(windows[0].take(10))
        await asyncio.sleep(0.05)
        taken = 0
        while not large.done() and taken < 40:
            await windows[1].take(3)
            taken += 1
        await large
        for window in windows:
            await window.close()
        return taken, large.done()

    taken, is_done = asyncio.run(run())
    assert is_done
    assert taken <= 1


def test_without_redis_each_process_keeps_to_the_limit(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> float:
        window = SharedWindow(redis_server.url, "gone requests", 2, 0.3)
        await window.take(1)
        redis_server.kill()
        loop = asyncio.get_running_loop()
        for _ in range(2):
            await window.take(1)
        began = loop.time()
        share = await window.take(1)
        await share.correct(0.5)
        await window.close()
        return loop.time() - began

    try:
        took_s = asyncio.run(run())
    finally:
        redis_server.start()
    assert took_s > 0.2
    assert "is not shared" in caplog.text
