"""Rate limits of model endpoints that all workers share, in Redis."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from apr.llm.limits import LOOK_S, SLACK, Share, Window

log = logging.getLogger("apr.limits")

# For each window: who took a share when, how large it is, and their sum; who waits since when, was
# seen last when, and for how much. First come, first served, among those that still come to ask;
# whoever asks may have what those before it leave.
TAKE = """
local taken, amounts, waits, seen, wants = unpack(KEYS)
local id, amount, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local period, patience = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
for _, old in ipairs(redis.call('ZRANGEBYSCORE', taken, '-inf', now - period)) do
  redis.call('HINCRBYFLOAT', amounts, 'sum', -redis.call('HGET', amounts, old))
  redis.call('HDEL', amounts, old)
  redis.call('ZREM', taken, old)
end
if redis.call('ZCARD', taken) == 0 then redis.call('DEL', amounts) end
local function forget(who)
  redis.call('ZREM', waits, who)
  redis.call('ZREM', seen, who)
  redis.call('HDEL', wants, who)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now - patience)) do forget(gone) end
redis.call('ZADD', waits, 'NX', now, id)
redis.call('ZADD', seen, now, id)
redis.call('HSET', wants, id, amount)
local excess = (redis.call('HGET', amounts, 'sum') or 0) - limit
for _, other in ipairs(redis.call('ZRANGE', waits, 0, redis.call('ZRANK', waits, id))) do
  excess = excess + redis.call('HGET', wants, other)
end
local wait = 0
if excess > 1e-6 then
  wait = period
  local entries = redis.call('ZRANGE', taken, 0, -1, 'WITHSCORES')
  for place = 1, #entries, 2 do
    excess = excess - redis.call('HGET', amounts, entries[place])
    if excess <= 1e-6 then
      wait = math.max(entries[place + 1] + period - now, 0.001)
      break
    end
  end
else
  redis.call('ZADD', taken, now, id)
  redis.call('HSET', amounts, id, amount)
  redis.call('HINCRBYFLOAT', amounts, 'sum', amount)
  forget(id)
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, math.ceil(period + patience) + 1) end
return tostring(wait)
"""
CORRECT = """
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local more = known - tonumber(ARGV[2])
if more > 0 then
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[1], -more)
  redis.call('HINCRBYFLOAT', KEYS[1], 'sum', -more)
end
"""
PATIENCE_S = 3 * LOOK_S
"""So long the place in the queue is kept of who no longer asks."""


class SharedWindow:
    """Implements `apr.llm.limits.RateWindow` for all processes on one Redis.

    While that cannot be reached, each process keeps to the limit by itself.
    """

    def __init__(self, url: str, name: str, limit: float, period_s: float) -> None:
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
        self._limit = limit
        self._period_s = period_s
        self._alone = Window(limit, period_s)
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        kinds = ("taken", "amounts", "waits", "seen", "wants")
        self._keys = [f"apr:limit:{{{digest}}}:{kind}" for kind in kinds]
        self._take = self._redis.register_script(TAKE)
        self._correct = self._redis.register_script(CORRECT)

    async def take(self, amount: float) -> Share:
        """See `RateWindow.take`."""
        share = secrets.token_hex(8)
        amount = min(amount, self._limit)
        arguments = [share, amount, self._limit, self._period_s * SLACK, PATIENCE_S]
        try:
            while (wait_s := await self._ask(arguments)) > 0:
                await asyncio.sleep(min(wait_s, LOOK_S))
        except (RedisError, OSError) as error:
            log.warning("the limit of a model is not shared: %s", error)
            return await self._alone.take(amount)
        return _SharedShare(self, share)

    async def _ask(self, arguments: list[Any]) -> float:
        """Seconds after which it is worth while to ask again; 0: it is taken."""
        wait_s: Any = await self._take(keys=self._keys, args=arguments)
        return float(wait_s)

    async def correct(self, share: str, amount: float) -> None:
        """See `Share.correct`; what cannot be corrected counts with all that was taken."""
        try:
            await self._correct(keys=[self._keys[1]], args=[share, amount])
        except (RedisError, OSError) as error:
            log.warning("the limit of a model is not corrected: %s", error)

    async def close(self) -> None:
        """See `RateWindow.close`."""
        await self._redis.aclose()


class _SharedShare:
    def __init__(self, window: SharedWindow, name: str) -> None:
        self._window = window
        self._name = name

    async def correct(self, amount: float) -> None:
        await self._window.correct(self._name, amount)
