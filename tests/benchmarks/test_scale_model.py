"""The simulation of many workers gives what can be computed by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from support.scripts import load_script


@pytest.fixture(scope="module")
def model() -> ModuleType:
    return load_script(Path(__file__).parents[2] / "benchmarks" / "scale_model.py")


def test_without_costs_one_process_does_as_many_as_its_time_allows(model: ModuleType) -> None:
    free = model.Costs(0.0, 0.0, 0.0, 0.0, 1, 0.0, 0.0)
    found = model.simulate(free, model.Load(1, 0.1, 8), 200.0)
    assert found.per_s == pytest.approx(10, rel=0.05)
    assert found.efficiency == pytest.approx(1, rel=0.05)
    assert found.fullest == "-"


def test_the_station_without_room_sets_the_pace(model: ModuleType) -> None:
    free = model.Costs(0.0, 0.0, 0.0, 0.0, 2, 0.0, 0.0)
    many = model.Load(900, 0.01, 8)
    slow_broker = model.simulate(replace(free, redis_s=0.001), many, 5.0)
    assert slow_broker.per_s == pytest.approx(1000, rel=0.02)
    assert slow_broker.fullest == "redis"
    slow_database = model.simulate(replace(free, postgres_s=0.001), many, 5.0)
    assert slow_database.per_s == pytest.approx(2000, rel=0.05)
    assert slow_database.fullest == "postgres"
    half_gone = replace(free, redis_s=0.001, redis_idle=0.5 / 900)
    assert model.simulate(half_gone, many, 5.0).per_s == pytest.approx(500, rel=0.02)


def test_a_searcher_that_thinks_keeps_its_helpers_waiting(model: ModuleType) -> None:
    free = model.Costs(0.0, 0.0, 0.0, 0.0, 1, 0.0, 0.0)
    found = model.simulate(replace(free, searcher_s=0.01), model.Load(9, 1e-6, 8), 20.0)
    assert found.per_s == pytest.approx(100, rel=0.02)
    assert found.fullest == "searcher"
