"""Caps hold whatever is asked, in whatever order, from however many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.errors import BudgetExhaustedError
from apr.core.run import Budget, Usage
from apr.search.budget import BudgetMeter


def stopped_clock() -> float:
    return 100.0


@given(st.integers(0, 50), st.lists(st.integers(0, 20), max_size=20))
def test_candidates_are_never_overshot(limit: int, wishes: list[int]) -> None:
    meter = BudgetMeter(Budget(candidates=limit), stopped_clock)
    for wish in wishes:
        granted = meter.affordable_candidates(wish)
        assert granted <= wish
        meter.reserve(Usage(candidates=granted))
    assert meter.usage.candidates == min(limit, sum(wishes))


def test_a_reservation_beyond_a_cap_takes_nothing() -> None:
    meter = BudgetMeter(Budget(candidates=None, tokens=100, cost_usd=1.0), stopped_clock)
    meter.reserve(Usage(tokens=60, cost_usd=0.5))
    with pytest.raises(BudgetExhaustedError, match="100 tokens"):
        meter.reserve(Usage(tokens=41, cost_usd=0.1))
    assert (meter.usage.tokens, meter.usage.cost_usd) == (60, 0.5)
    assert meter.exhausted == ()
    meter.reserve(Usage(tokens=40))
    assert meter.exhausted == ("tokens",)


def test_settling_gives_back_what_was_not_needed() -> None:
    meter = BudgetMeter(Budget(tokens=100), stopped_clock)
    meter.reserve(Usage(tokens=80, calls=1))
    meter.settle(Usage(tokens=80, calls=1), Usage(tokens=30, calls=1))
    assert (meter.usage.tokens, meter.usage.calls) == (30, 1)


def test_a_block_that_raises_gives_its_reservation_back() -> None:
    meter = BudgetMeter(Budget(candidates=8), stopped_clock)
    with pytest.raises(KeyboardInterrupt), meter.holding(Usage(candidates=8)):
        raise KeyboardInterrupt
    assert meter.usage.candidates == 0


def test_threads_share_a_cap_without_overshooting_it() -> None:
    meter = BudgetMeter(Budget(calls=1000), stopped_clock)

    def take(_: int) -> int:
        taken = 0
        for _ in range(400):
            try:
                meter.reserve(Usage(calls=1))
            except BudgetExhaustedError:
                continue
            taken += 1
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 1000
    assert meter.usage.calls == 1000


def test_a_resumed_run_keeps_its_earlier_seconds_but_counts_candidates_again() -> None:
    now = [5.0]
    earlier = Usage(candidates=40, validations=30, seconds=50.0)
    meter = BudgetMeter(Budget(candidates=100, seconds=60.0), lambda: now[0], earlier)
    assert (meter.usage.candidates, meter.usage.validations) == (0, 30)
    now[0] += 9.0
    assert not meter.is_out_of_time
    now[0] += 1.0
    assert meter.is_out_of_time
    assert meter.usage.seconds == 60.0
