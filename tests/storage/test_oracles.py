"""The bound on the oracles that are kept: those unused for longest go first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from apr.core.oracle import Oracle
from apr.core.report import Baseline
from apr.storage.engine import make_engine, reading
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore
from apr.storage.tables import OracleRow

ORACLE = Oracle(Baseline((), (), (), (), {}, 1.0, 2), None, (), "digest")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = make_engine(f"sqlite:///{tmp_path}/apr.db")
    ensure_schema(made)
    yield made
    made.dispose()


def test_oracles_unused_for_longest_are_forgotten(engine: Engine) -> None:
    moments = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(100))
    generous = SqlRunStore(engine, lambda: next(moments))
    for name in "abcd":
        generous.keep_oracle(name, ORACLE)
    generous.load_oracle("a")
    with reading(engine) as connection:
        size = connection.execute(select(func.sum(OracleRow.size))).scalar() or 0
    strict = SqlRunStore(engine, lambda: next(moments), oracle_bytes=size)
    strict.keep_oracle("e", ORACLE)
    # Nine tenths of four are three whole ones: the newest.
    assert [name for name in "abcde" if strict.load_oracle(name)] == ["a", "d", "e"]
