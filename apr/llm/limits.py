"""How fast an endpoint may be asked: side by side, per minute, and not while it says to wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

MINUTE_S = 60.0
SLACK = 1.01  # requests take longer on some ways than on others
LOOK_S = 0.5  # how often a waiting call looks whether others took less than they might have


@dataclass(slots=True)
class Share:
    """What one call takes out of a window; `amount` may be corrected later."""

    at: float
    amount: float


class Window:
    """At most `limit` units within any `period_s` seconds; lives in one event loop.

    A token bucket would let twice as many through in its first minute.
    """

    def __init__(self, limit: float, period_s: float = MINUTE_S) -> None:
        self._limit = limit
        self._period_s = period_s * SLACK
        self._shares: deque[Share] = deque()
        self._turn = asyncio.Lock()  # first come, first served

    async def take(self, amount: float) -> Share:
        """Wait until there is room; more than the limit takes the whole of it."""
        loop = asyncio.get_running_loop()
        amount = min(amount, self._limit)
        async with self._turn:
            while (wait_s := self._wait_s(amount, loop.time())) > 0:
                await asyncio.sleep(min(wait_s, LOOK_S))
            share = Share(loop.time(), amount)
            self._shares.append(share)
        return share

    def _wait_s(self, amount: float, now: float) -> float:
        """Seconds until enough of what was taken is too old to count."""
        while self._shares and self._shares[0].at <= now - self._period_s:
            self._shares.popleft()
        excess = sum(share.amount for share in self._shares) + amount - self._limit
        for share in self._shares:
            if excess <= 0:
                break
            excess -= share.amount
            if excess <= 0:
                return share.at + self._period_s - now
        return 0.0


class Turn:
    """One call's permission to start."""

    def __init__(self, tokens: Share | None) -> None:
        self._tokens = tokens

    def correct(self, tokens: int) -> None:
        """Say how many tokens it really took."""
        if self._tokens is not None:
            self._tokens.amount = min(self._tokens.amount, tokens)


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
        minute_s: float = MINUTE_S,
    ) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._requests = Window(requests_per_minute, minute_s) if requests_per_minute else None
        self._tokens = Window(tokens_per_minute, minute_s) if tokens_per_minute else None
        self._resume_at = 0.0

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[Turn]:
        """Hold a slot for one call that may use `tokens` tokens."""
        async with self._slots:
            await self._await_resumption()
            share = None if self._tokens is None else await self._tokens.take(tokens)
            if self._requests is not None:
                await self._requests.take(1)
            await self._await_resumption()
            yield Turn(share)

    async def _await_resumption(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._resume_at - loop.time()) > 0:
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let no call start for so long: the endpoint is overloaded, and not for one call only."""
        until = asyncio.get_running_loop().time() + seconds
        self._resume_at = max(self._resume_at, until)
