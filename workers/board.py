"""The board on which searchers lay out patches for helpers, in Redis."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from apr.core.bug import TestId
from apr.core.errors import BoardUnavailableError
from apr.core.ports import BoardItem, BoardResult
from apr.storage import codec

FORGOTTEN_AFTER_S = 3600
CALL_EVERY_S = 2.0
PRESENT_S = 3
MAX_HELPERS = 8
"""That one run may have called; each takes a process of a worker."""
MOST_RESULTS = 1000


class RedisBoard:
    """Implements `apr.core.ports.ValidationBoard` on one Redis.

    For each run there are a list of patches, a list of results, and the helpers that asked last.
    """

    def __init__(self, url: str, call: Callable[[str, int], None]) -> None:
        """`call` asks for so many helpers of a run, now and then while patches lie there."""
        self._redis = redis.Redis.from_url(
            url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=15
        )
        self._call = call
        self._call_at: dict[str, float] = {}
        self._attend_at: dict[str, float] = {}
        self._name = secrets.token_hex(8)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def lay_out(self, run_id: str, items: Sequence[BoardItem]) -> None:
        """See `ValidationBoard.lay_out`."""
        todo, done = _keys(run_id)
        with _explained(), self._redis.pipeline() as pipeline:
            pipeline.delete(todo, done)
            pipeline.rpush(todo, *(encode_item(item) for item in items))
            pipeline.expire(todo, FORGOTTEN_AFTER_S)
            pipeline.execute()
        now = time.monotonic()
        if now >= self._call_at.get(run_id, 0.0):
            self._call_at = {run_id: now + CALL_EVERY_S}  # a process searches one run at a time
            wanted = min(MAX_HELPERS, len(items) - 1) - self._helpers(run_id)
            if wanted > 0:
                self._call(run_id, wanted)

    def take(self, run_id: str, count: int, wait_s: float = 0.0) -> Sequence[BoardItem]:
        """See `ValidationBoard.take`."""
        todo, _ = _keys(run_id)
        if wait_s:
            self._attend(run_id)
        return [decode_item(text) for text in self._pop(todo, count, wait_s)]

    def _attend(self, run_id: str) -> None:
        """Be counted as a helper for some seconds."""
        if time.monotonic() < self._attend_at.get(run_id, 0.0):
            return
        self._attend_at = {run_id: time.monotonic() + PRESENT_S / 3}
        with _explained():
            now: Any = self._redis.time()
            self._redis.zadd(_helpers(run_id), {self._name: now[0]})
            self._redis.expire(_helpers(run_id), FORGOTTEN_AFTER_S)

    def _helpers(self, run_id: str) -> int:
        with _explained():
            now: Any = self._redis.time()
            present: Any = self._redis.zcount(_helpers(run_id), now[0] - PRESENT_S, "+inf")
        return int(present)

    def hand_in(self, run_id: str, result: BoardResult, more: int = 0) -> Sequence[BoardItem]:
        """See `ValidationBoard.hand_in`."""
        todo, done = _keys(run_id)
        with _explained(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(done, encode_result(result))
            pipeline.expire(done, FORGOTTEN_AFTER_S)
            if more:
                pipeline.lpop(todo, more)
            answers = pipeline.execute()
        if not more:
            return ()
        self._attend(run_id)
        return [decode_item(text) for text in answers[-1] or ()]

    def results(self, run_id: str, wait_s: float = 0.0) -> Sequence[BoardResult]:
        """See `ValidationBoard.results`."""
        _, done = _keys(run_id)
        return [decode_result(text) for text in self._pop(done, MOST_RESULTS, wait_s)]

    def _pop(self, key: str, count: int, wait_s: float) -> list[bytes]:
        """At most `count` entries of a list, and one if it had to be waited for."""
        with _explained():
            found: Any = self._redis.lpop(key, count)
            if found or not wait_s:
                return list(found or ())
            waited: Any = self._redis.blpop([key], timeout=wait_s)
            return [waited[1]] if waited else []


def encode_item(item: BoardItem) -> str:
    """JSON."""
    learned = {str(test): count for test, count in item.learned.items()}
    return json.dumps([item.batch, item.index, codec.encode_patch(item.patch), learned])


def decode_item(text: bytes) -> BoardItem:
    """The inverse of `encode_item`."""
    batch, index, patch, learned = json.loads(text)
    counts = {TestId(test): count for test, count in learned.items()}
    return BoardItem(batch, index, codec.decode_patch(patch), counts)


def encode_result(result: BoardResult) -> str:
    """JSON."""
    return json.dumps([result.batch, result.index, codec.encode_report(result.report)])


def decode_result(text: bytes) -> BoardResult:
    """The inverse of `encode_result`."""
    batch, index, report = json.loads(text)
    return BoardResult(batch, index, codec.decode_report(report))


def _keys(run_id: str) -> tuple[str, str]:
    return f"apr:{{{run_id}}}:todo", f"apr:{{{run_id}}}:done"


def _helpers(run_id: str) -> str:
    return f"apr:{{{run_id}}}:helpers"


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise BoardUnavailableError(f"the board cannot be reached: {error}") from error
