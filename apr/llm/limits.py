"""How fast an endpoint may be asked: side by side, per minute, and not while it says to wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

MINUTE_S = 60.0
SLACK = 1.01  # requests take longer on some ways than on others
LOOK_S = 0.5  # how often a waiting call looks whether others took less than they might have


class Share(Protocol):
    """What one call takes out of a window."""

    async def correct(self, amount: float) -> None:
        """It was no more than so much."""
        ...


class RateWindow(Protocol):
    """At most so many units within any period, for one process or for many; in one event loop."""

    async def take(self, amount: float) -> Share:
        """Wait until there is room; more than the limit takes the whole of it."""
        ...

    async def close(self) -> None:
        """End its connections, if there are any."""
        ...


OpenWindow = Callable[[str, float, float], RateWindow]
"""The window for what a name says, an endpoint's requests for example; of a limit, a period in
seconds. Whoever opens one of the same name shares it, as far as the kind of window allows."""


@dataclass(slots=True)
class LocalShare:
    """A share that this process knows of."""

    at: float
    amount: float

    async def correct(self, amount: float) -> None:
        """See `Share.correct`."""
        self.amount = min(self.amount, amount)


class Window:
    """Implements `RateWindow` for this process.

    A token bucket would let twice as many through in its first minute.
    """

    def __init__(self, limit: float, period_s: float = MINUTE_S) -> None:
        self._limit = limit
        self._period_s = period_s * SLACK
        self._shares: deque[LocalShare] = deque()
        self._turn = asyncio.Lock()  # first come, first served

    async def take(self, amount: float) -> LocalShare:
        """See `RateWindow.take`."""
        loop = asyncio.get_running_loop()
        amount = min(amount, self._limit)
        async with self._turn:
            while (wait_s := self._wait_s(amount, loop.time())) > 0:
                await asyncio.sleep(min(wait_s, LOOK_S))
            share = LocalShare(loop.time(), amount)
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

    async def close(self) -> None:
        """See `RateWindow.close`."""


def open_local(name: str, limit: float, period_s: float) -> RateWindow:
    """An `OpenWindow` that shares nothing."""
    return Window(limit, period_s)


class Turn:
    """One call's permission to start."""

    def __init__(self, tokens: Share | None) -> None:
        self._tokens = tokens

    async def correct(self, tokens: int) -> None:
        """Say how many tokens it really took."""
        if self._tokens is not None:
            await self._tokens.correct(tokens)


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
        *,
        name: str = "",
        open_window: OpenWindow = open_local,
    ) -> None:
        """`name` is the endpoint's, whose limits `open_window` may share with other processes."""

        def opened(what: str, limit: float | None) -> RateWindow | None:
            return open_window(f"{name} {what}", limit, minute_s) if limit else None

        self._slots = asyncio.Semaphore(concurrency)
        self._requests = opened("requests", requests_per_minute)
        self._tokens = opened("tokens", tokens_per_minute)
        self._resume_at = 0.0

    async def close(self) -> None:
        """End the connections of its windows."""
        for window in (self._requests, self._tokens):
            if window is not None:
                await window.close()

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
