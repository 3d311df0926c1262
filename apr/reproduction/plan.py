"""Issue-driven repair: first a test of what the issue reports, then a run like any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from apr.core.bug import Bug
from apr.core.errors import NotReproducedError
from apr.core.location import SuspiciousLocation
from apr.core.model import Purse
from apr.core.run import Budget, Usage
from apr.generation.prompt.reproducing import ReproductionAuthor
from apr.repair import Notify
from apr.reproduction.trial import Draft, Reproduction, reproduce_issue
from apr.search.budget import BudgetMeter
from apr.settings import ModelSettings, RunSettings
from apr.subject import PreparedSubject

OpenAuthor = Callable[[ModelSettings, Purse, int], AbstractContextManager[ReproductionAuthor]]
"""Opens the model that writes tests, given who pays and the seed."""


@dataclass(frozen=True, slots=True)
class IssueRun:
    """What is run once an issue was looked at: the bug, how, and what is left to spend."""

    bug: Bug
    settings: RunSettings
    budget: Budget
    reproduction: Reproduction

    @property
    def author(self) -> str:
        """Who wrote the trigger test; `none` when there is none."""
        chosen = self.reproduction.chosen
        return "none" if chosen is None else chosen.draft.origin


def plan_issue_run(
    bug: Bug,
    settings: RunSettings,
    budget: Budget,
    seed: int,
    notify: Notify,
    open_author: OpenAuthor,
) -> IssueRun:
    """Reproduce the issue if possible; what asking a model cost is taken from the budget.

    Without a test that shows the issue, a language model's patches have only to break nothing,
    and what most of them do decides. The embedded generators propose too many patches for that.

    Raises:
        NotReproducedError: when nothing could tell a right patch from a wrong one.
    """
    meter = BudgetMeter(budget, time.monotonic, Usage())
    writer = (
        None if settings.llm is None else _ModelWriter(settings.llm, meter, seed, bug, open_author)
    )
    found = reproduce_issue(bug, settings, notify, writer)
    left = _left(budget, meter.usage)
    if found.chosen is not None:
        return IssueRun(found.bug, settings, left, found)
    if settings.llm is None:
        raise NotReproducedError(describe_failure(found))
    told = f"{describe_failure(found)}: patches have only to break nothing"
    notify("warning", {"message": told})
    return IssueRun(bug, settings.model_copy(update={"must_fail": False}), left, found)


def describe_failure(found: Reproduction) -> str:
    """Why there is no test of the issue."""
    if not found.tried:
        return "the issue could not be reproduced: it shows no example that could be run"
    first = found.tried[0]
    return (
        f"the issue could not be reproduced: of {len(found.tried)} drafts of a test none is of use"
        f" ({first.complaint})"
    )


@dataclass(frozen=True, slots=True)
class _ModelWriter:
    """Has the run's language model write tests."""

    chosen: ModelSettings
    meter: BudgetMeter
    seed: int
    bug: Bug
    open_author: OpenAuthor

    def __call__(
        self, subject: PreparedSubject, suspects: Sequence[SuspiciousLocation]
    ) -> Sequence[Draft]:
        tests = subject.test_sources
        named = [path for path in self.bug.test_command.argv if path in tests]
        example = tests[(named or sorted(tests))[0]] if tests else ""
        issue = self.bug.issue_text or ""
        with self.open_author(self.chosen, self.meter, self.seed) as author:
            texts = author.write(issue, suspects, subject.sources, example)
            return [Draft(text, author.name) for text in texts]


def _left(budget: Budget, spent: Usage) -> Budget:
    """The budget without what was spent."""
    return replace(
        budget,
        calls=None if budget.calls is None else max(0, budget.calls - spent.calls),
        tokens=None if budget.tokens is None else max(0, budget.tokens - spent.tokens),
        cost_usd=None if budget.cost_usd is None else max(0.0, budget.cost_usd - spent.cost_usd),
    )
