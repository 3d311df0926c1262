"""The bound on the verdicts that are kept: those unused for longest go first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from apr.core.report import Stage, ValidationReport, Verdict
from apr.storage.engine import make_engine, reading
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore
from apr.storage.tables import OutcomeRow

REPORT = ValidationReport(Verdict.STILL_FAILS, Stage.TRIGGER, message="no")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    sqlite = f"sqlite:///{tmp_path}/apr.db"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = make_engine(url)
    ensure_schema(made)
    yield made
    made.dispose()


def size_of(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.sum(OutcomeRow.size))).scalar() or 0


def test_verdicts_unused_for_longest_are_forgotten(engine: Engine) -> None:
    moments = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(100))
    generous = SqlRunStore(engine, lambda: next(moments))
    for name in "abcd":
        generous.save_outcomes({name: REPORT})
    generous.load_outcomes(["a"])
    one = size_of(engine) // 4
    strict = SqlRunStore(engine, lambda: next(moments), outcome_bytes=one * 4)
    strict.save_outcomes({"e": REPORT})
    # Nine tenths of four are three whole ones: the newest.
    assert sorted(strict.load_outcomes(list("abcde"))) == ["a", "d", "e"]
    assert size_of(engine) == one * 3


def test_below_the_bound_nothing_is_forgotten(engine: Engine) -> None:
    store = SqlRunStore(engine)
    store.save_outcomes(dict.fromkeys("abc", REPORT))
    assert sorted(store.load_outcomes(list("abc"))) == ["a", "b", "c"]
