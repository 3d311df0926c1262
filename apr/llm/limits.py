"""How fast an endpoint may be asked: side by side, per minute, and not while it says to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiolimiter import AsyncLimiter

MINUTE_S = 60.0


class Throttle:
    """Bounds the calls to one endpoint; lives in one event loop.

    `requests_per_minute` and `tokens_per_minute` None: no limit. A call of more tokens than a
    minute allows takes the whole minute.
    """

    def __init__(
        self,
        concurrency: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._requests = _limiter(requests_per_minute)
        self._tokens = _limiter(tokens_per_minute)
        self._resume_at = 0.0

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[None]:
        """Hold a slot for one call that may use `tokens` tokens."""
        async with self._slots:
            await self._await_resumption()
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                await self._tokens.acquire(min(tokens, self._tokens.max_rate))
            yield

    async def _await_resumption(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._resume_at - loop.time()) > 0:
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let no call start for so long: the endpoint is overloaded, and not for one call only."""
        until = asyncio.get_running_loop().time() + seconds
        self._resume_at = max(self._resume_at, until)


def _limiter(rate: float | None) -> AsyncLimiter | None:
    return None if rate is None else AsyncLimiter(rate, MINUTE_S)
