"""One repair from end to end: reproduce, localize, search, confirm, rank."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from apr.core.bug import Bug
from apr.core.model import Purse
from apr.core.oracle import Oracle
from apr.core.patch import Patch, render_diff
from apr.core.ports import Evaluator, Generator, RepairContext
from apr.core.report import Baseline, ValidationReport
from apr.core.run import Budget, RankedPatch, Usage
from apr.core.tree import SearchNode, SearchTree
from apr.search.budget import BudgetMeter
from apr.search.loop import SearchObserver, SearchResult, StopReason, search
from apr.search.settings import APRMCTS, Policy, SearchSettings
from apr.settings import RunSettings
from apr.subject import PreparedSubject
from apr.suspects import Relocation, rank_suspects
from validation.baseline import reproduce
from validation.plan import ValidationSettings
from validation.validator import StagedValidator


@dataclass(frozen=True, slots=True)
class Proposer:
    """Who proposes patches in a run, and who says what they are worth."""

    generator: Generator
    evaluator: Evaluator


OpenProposer = Callable[[RunSettings, RepairContext, Purse], AbstractContextManager[Proposer]]
"""Makes the proposer of a run, which spends what the run's purse allows."""


class Notify(Protocol):
    """Hears of everything worth telling a user; kinds and data are listed in docs/events.md."""

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What an interrupted run had found out already."""

    reports: Mapping[str, ValidationReport]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of a search: ranked patches, and why it stopped."""

    patches: tuple[RankedPatch, ...]
    stopped: StopReason
    tree: SearchTree
    usage: Usage


def measure_oracle(
    bug: Bug, subject: PreparedSubject, settings: RunSettings, notify: Notify
) -> Oracle:
    """Run the baseline and rank the suspects.

    Raises:
        BadInputError, NotReproducedError, EnvironmentUnusableError: see `reproduce`.
    """
    notify("phase", {"name": "reproduce"})
    reproduction = reproduce(
        bug,
        subject.runner,
        subject.workspace,
        subject.limits,
        repeats=settings.repeats,
        on_result=lambda result: notify(
            "test",
            {"id": result.test, "outcome": result.outcome.value, "duration_s": result.duration_s},
        ),
    )
    baseline = reproduction.baseline
    notify("baseline", describe_baseline(baseline))
    notify("phase", {"name": "localize"})
    locations = rank_suspects(subject.sources, settings, reproduction.matrix, baseline)
    notify(
        "locations",
        {"count": len(locations), "top": [str(suspect.location) for suspect in locations[:5]]},
    )
    return Oracle(baseline, reproduction.matrix, locations, subject.digest)


def describe_baseline(baseline: Baseline) -> dict[str, Any]:
    """The counts of a baseline, as told to users."""
    return {
        "failing": len(baseline.failing),
        "passing": len(baseline.passing),
        "flaky": len(baseline.flaky),
        "skipped": len(baseline.skipped),
        "other_failing": len(baseline.other_failing),
        "duration_s": baseline.duration_s,
    }


def repair(
    bug: Bug,
    subject: PreparedSubject,
    oracle: Oracle,
    settings: RunSettings,
    budget: Budget,
    seed: int,
    open_proposer: OpenProposer,
    known: Known,
    observer: SearchObserver,
    notify: Notify,
) -> Repair:
    """Search for patches that make the trigger tests pass, and confirm and rank what is found."""
    notify("phase", {"name": "search"})
    context = RepairContext(
        bug=bug,
        sources=subject.sources,
        locations=oracle.locations,
        failures=oracle.baseline.failing,
        test_sources=subject.test_sources,
        seed=seed,
        relocate=Relocation(subject.sources, settings, oracle),
    )
    meter = BudgetMeter(budget, time.monotonic, known.usage)
    with (
        open_proposer(settings, context, meter) as proposer,
        open_validator(subject, oracle, settings) as validator,
    ):
        result = search(
            context,
            proposer.generator,
            Confirming(validator, notify),
            proposer.evaluator,
            search_settings(settings),
            meter,
            seed=seed,
            known=known.reports,
            observer=observer,
        )
    ranked = rank(result, subject.sources)
    return Repair(ranked, result.stopped, result.tree, meter.usage)


def open_validator(
    subject: PreparedSubject, oracle: Oracle, settings: RunSettings
) -> StagedValidator:
    """The validator of a run, still to be entered."""
    return StagedValidator(
        subject.runner,
        subject.workspace.root,
        oracle.baseline,
        oracle.matrix,
        ValidationSettings(
            jobs=settings.jobs,
            floor_s=settings.floor_s,
            factor=settings.factor,
            limits=subject.limits,
        ),
        can_protect=subject.sandbox.name != "process",
        likely=tuple(suspect.location.path for suspect in oracle.locations[:1]),
    )


def search_settings(settings: RunSettings) -> SearchSettings:
    """The part of a run's settings that steers the search."""
    shape = APRMCTS if settings.preset == "aprmcts" else SearchSettings()
    return replace(
        shape,
        policy=Policy(settings.policy),
        batch=settings.batch or shape.batch,
        parallel=settings.parallel,
        max_depth=settings.max_depth,
        plausible_wanted=settings.patches,
    )


class Confirming:
    """A validator that calls a patch plausible only after a clean run in a fresh sandbox."""

    def __init__(self, validator: StagedValidator, notify: Notify) -> None:
        self._validator = validator
        self._notify = notify

    def validate(self, patches: Sequence[Patch]) -> Sequence[ValidationReport]:
        """See `PatchValidator.validate`."""
        return [
            self._confirmed(patch, report) if report.is_plausible else report
            for patch, report in zip(patches, self._validator.validate(patches), strict=True)
        ]

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """See `PatchValidator.learn`."""
        self._validator.learn(reports)

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`."""
        return self._validator.confirm(patch)

    def _confirmed(self, patch: Patch, before: ValidationReport) -> ValidationReport:
        self._notify("phase", {"name": "confirm"})
        report = self._validator.confirm(patch)
        self._notify("phase", {"name": "search"})
        return replace(report, duration_s=before.duration_s + report.duration_s)


def rank(result: SearchResult, sources: Mapping[str, str]) -> tuple[RankedPatch, ...]:
    """Plausible patches, the smallest change first; among equals the one found first."""
    nodes = [result.tree.nodes[node_id] for node_id in result.plausible]
    nodes.sort(key=lambda node: (node.depth, _changed_lines(node.patch), node.id))
    return tuple(
        RankedPatch(node.id, position, render_diff(node.patch, sources), _origins(result, node))
        for position, node in enumerate(nodes, 1)
    )


def _origins(result: SearchResult, node: SearchNode) -> str:
    """What proposed each of the edits that the patch consists of, the first one first."""
    path = [step.origin for step in result.tree.path_to_root(node.id) if step.parent is not None]
    return " + ".join(reversed(path))


def _changed_lines(patch: Patch) -> int:
    return sum(len(hunk.old) + len(hunk.new) for hunk in patch.hunks)
