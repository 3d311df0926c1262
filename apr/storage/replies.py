"""What language models answered, kept across runs: a `ReplyStore` on the database."""

from __future__ import annotations

from sqlalchemy import Engine

from apr.storage import kept, rules
from apr.storage.engine import writing
from apr.storage.tables import ReplyRow

REPLIES_PER_CHECK = 200
"""After so many replies the bound on all of them is enforced."""


class SqlReplyStore:
    """Keeps replies within `max_bytes`; `clock` returns an aware time."""

    def __init__(
        self, engine: Engine, clock: rules.Clock = rules.utc_now, max_bytes: int = kept.MAX_BYTES
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._max_bytes = max_bytes
        self._unchecked = 0

    def load_reply(self, key: str) -> bytes | None:
        """The reply kept under `key`, which counts as used now."""
        return kept.load_and_touch(self._engine, ReplyRow, [key], self._clock()).get(key)

    def save_reply(self, key: str, reply: bytes) -> None:
        """Insert or replace a reply."""
        with writing(self._engine) as connection:
            kept.save(connection, ReplyRow, {key: reply}, self._clock())
            self._unchecked -= 1
            if self._unchecked <= 0:
                kept.evict(connection, ReplyRow, self._max_bytes)
                self._unchecked = REPLIES_PER_CHECK
