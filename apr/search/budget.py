"""Budgets are reserved before the work and settled after it, so that no cap is overshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from apr.core.errors import BudgetExhaustedError
from apr.core.run import Budget, Usage


class BudgetMeter:
    """Spends one run's budget; safe to share between threads.

    `clock` returns seconds and never goes back. `earlier` is what the interrupted part of a
    resumed run spent, except its candidates: replaying the run counts those again.
    """

    def __init__(
        self, budget: Budget, clock: Callable[[], float], earlier: Usage | None = None
    ) -> None:
        self.budget = budget
        self._clock = clock
        self._spent = replace(earlier or Usage(), candidates=0)
        self._started = clock()
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What is spent or reserved by now."""
        elapsed = self._clock() - self._started
        return replace(self._spent, seconds=self._spent.seconds + elapsed)

    @property
    def caps_money(self) -> bool:
        """Whether there is a limit in dollars."""
        return self.budget.cost_usd is not None

    @property
    def is_out_of_time(self) -> bool:
        """The seconds have run out."""
        limit = self.budget.seconds
        return limit is not None and self.usage.seconds >= limit

    @property
    def exhausted(self) -> tuple[str, ...]:
        """The names of the caps, time excepted, of which nothing is left."""
        return tuple(
            name
            for name, spent, limit in self._levels(self._spent)
            if limit is not None and spent >= limit
        )

    def affordable_candidates(self, wanted: int) -> int:
        """At most `wanted`, and no more than the candidates left."""
        limit = self.budget.candidates
        return wanted if limit is None else min(wanted, max(limit - self._spent.candidates, 0))

    def reserve(self, amount: Usage) -> None:
        """Take `amount` out of the budget before spending it (its `seconds` are ignored).

        Raises:
            BudgetExhaustedError: when a cap would be overshot; nothing is taken then.
        """
        with self._lock:
            total = _add(self._spent, amount, 1)
            for name, spent, limit in self._levels(total):
                if limit is not None and spent > limit:
                    raise BudgetExhaustedError(f"the run's budget of {limit:g} {name} is used up")
            self._spent = total

    def settle(self, reserved: Usage, spent: Usage) -> None:
        """Replace a reservation by what it really cost."""
        with self._lock:
            self._spent = _add(_add(self._spent, reserved, -1), spent, 1)

    @contextmanager
    def holding(self, amount: Usage) -> Iterator[None]:
        """Reserve `amount` for a block, and give it back if the block does not complete."""
        self.reserve(amount)
        completed = False
        try:
            yield
            completed = True
        finally:
            if not completed:
                self.settle(amount, Usage())

    def _levels(self, usage: Usage) -> tuple[tuple[str, float, float | None], ...]:
        return (
            ("candidates", usage.candidates, self.budget.candidates),
            ("cost_usd", usage.cost_usd, self.budget.cost_usd),
            ("tokens", usage.tokens, self.budget.tokens),
            ("calls", usage.calls, self.budget.calls),
        )


def _add(left: Usage, right: Usage, sign: int) -> Usage:
    return Usage(
        candidates=left.candidates + sign * right.candidates,
        validations=left.validations + sign * right.validations,
        seconds=left.seconds,
        cost_usd=left.cost_usd + sign * right.cost_usd,
        tokens=left.tokens + sign * right.tokens,
        calls=left.calls + sign * right.calls,
    )
