"""Replies of models in the database: kept, replaced, and forgotten in the order of their use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from apr.storage.engine import make_engine, reading
from apr.storage.migrate import ensure_schema
from apr.storage.replies import SqlReplyStore
from apr.storage.tables import ReplyRow


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    sqlite = f"sqlite:///{tmp_path}/apr.db"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = make_engine(url)
    ensure_schema(made)
    yield made
    made.dispose()


def test_a_reply_is_kept_for_other_processes(engine: Engine) -> None:
    SqlReplyStore(engine).save_reply("a", b"old")
    SqlReplyStore(engine).save_reply("a", b"new \xff\x00")
    assert SqlReplyStore(engine).load_reply("a") == b"new \xff\x00"
    assert SqlReplyStore(engine).load_reply("b") is None


def test_replies_unused_for_longest_are_forgotten(engine: Engine) -> None:
    moments = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(100))
    store = SqlReplyStore(engine, lambda: next(moments))
    for name in "abcd":
        store.save_reply(name, b"reply")
    store.load_reply("a")
    with reading(engine) as connection:
        one = (connection.execute(select(func.sum(ReplyRow.size))).scalar() or 0) // 4
    SqlReplyStore(engine, lambda: next(moments), one * 4).save_reply("e", b"reply")
    assert [name for name in "abcde" if store.load_reply(name)] == ["a", "d", "e"]
