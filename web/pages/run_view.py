"""One run: how far it is, what came of it, what it cost, and what its tests said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apr.core.bug import TestId
from apr.core.report import Baseline, TestOutcome, TestResult, ValidationReport
from apr.core.run import Budget, RankedPatch, RepairRun, RunEvent, RunStatus, Usage
from web.pages import words
from web.pages.diff_view import FileDiff, diff_view
from web.pages.meanings import STATUS_MEANINGS
from web.pages.runs_view import generator_name, run_name

PHASES = ("copy", "reproduce", "localize", "search", "confirm", "compare")
SHOWN_TESTS = 50
_WORK = {
    "copy": "Copying the program",
    "reproduce": "Running the tests",
    "localize": "Finding where the fault is",
    "search": "Searching for a patch",
    "confirm": "Confirming a patch",
    "trace": "Comparing what the patches do",
    "compare": "Comparing what the patches do",
}
_SAME_PHASE = {"validate": "search", "trace": "compare"}


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the work; `state` is done, now or open."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Burn:
    """How much of one limit is used; `share` in [0, 1], None where there is no limit."""

    name: str
    used: str
    limit: str
    share: float | None


@dataclass(frozen=True, slots=True)
class TestLine:
    """A trigger test before and with the best patch; `after` None: it was not run with one."""

    __test__ = False

    test: TestId
    before: TestOutcome
    message: str
    after: TestOutcome | None


@dataclass(frozen=True, slots=True)
class TestsView:
    """Trigger tests one by one, `hidden` of them not; the others as counts."""

    __test__ = False

    lines: tuple[TestLine, ...]
    hidden: int
    passing: int
    passing_after: int | None
    aside: tuple[str, ...]
    flaky: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PatchView:
    """A plausible patch with its changes; `report` is the verdict it rests on, where known."""

    patch: RankedPatch
    files: tuple[FileDiff, ...]
    report: ValidationReport | None


@dataclass(frozen=True, slots=True)
class RunView:
    """All that a run's page shows."""

    run: RepairRun
    name: str
    headline: str
    meaning: str
    phases: tuple[Phase, ...]
    burns: tuple[Burn, ...]
    progress: Mapping[str, Any] | None
    tests: TestsView | None
    patches: tuple[PatchView, ...]
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    can_cancel: bool
    can_resume: bool


def run_view(
    run: RepairRun,
    baseline: Baseline | None,
    events: Sequence[RunEvent],
    reports: Mapping[int, ValidationReport],
) -> RunView:
    """`reports` are the verdicts on the run's patches, by their nodes."""
    best = reports.get(run.patches[0].node_id) if run.patches else None
    return RunView(
        run,
        run_name(run),
        headline(run, events),
        _meaning(run, baseline, best),
        tuple(phases(run, events)),
        tuple(burns(run.budget, run.usage)),
        None if run.status.is_final else _last(events, "search"),
        None if baseline is None else tests_view(baseline, best),
        tuple(
            PatchView(patch, diff_view(patch.diff), reports.get(patch.node_id))
            for patch in run.patches
        ),
        tuple(_facts(run, events)),
        tuple(str(event.data.get("message", "")) for event in events if event.kind == "warning"),
        can_cancel=run.status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.INTERRUPTED),
        can_resume=run.status
        in (RunStatus.INTERRUPTED, RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.EXHAUSTED),
    )


def headline(run: RepairRun, events: Sequence[RunEvent]) -> str:
    """What the run has come to, or what it does, in one line."""
    if run.status is RunStatus.RUNNING:
        phase = _last(events, "phase") or {}
        return _WORK.get(str(phase.get("name")), "Running")
    if run.patches:
        return words.count(len(run.patches), "plausible patch", "plausible patches")
    if run.status is RunStatus.EXHAUSTED:
        return "No plausible patch was found"
    return {
        RunStatus.QUEUED: "Waiting",
        RunStatus.SUCCEEDED: "A plausible patch was found",
        RunStatus.FAILED: "The run could not be carried out",
        RunStatus.INTERRUPTED: "Stopped, and ready to go on",
        RunStatus.CANCELLED: "Cancelled",
    }[run.status]


def _meaning(run: RepairRun, baseline: Baseline | None, report: ValidationReport | None) -> str:
    """What may be concluded, and no more than was tested."""
    if report is not None:
        total = report.triggers_total + report.regressions_total
        tests = "The only test passes" if total == 1 else f"All {total:,} tests pass"
        apart = f" ({', '.join(_aside(baseline))} aside)" if baseline and _aside(baseline) else ""
        times = words.count(report.confirmations, "fresh sandbox", "fresh sandboxes")
        shown = f", confirmed in {times}" if report.confirmations else ""
        return f"{tests}{apart}{shown}. Plausible is not proven correct: read the change."
    if run.message and run.status is RunStatus.FAILED:
        return f"{words.one_line(run.message)}. {STATUS_MEANINGS[run.status]}"
    ended = {"seconds": "The seconds", "candidates": "The candidates", "cost": "The money"}
    if run.status is RunStatus.EXHAUSTED and run.message in ended:
        return f"{ended[run.message]} of the budget ended first. A larger budget may find one."
    if run.status is RunStatus.EXHAUSTED and run.message == "exhausted":
        return "Nothing is left to try: another generator, or a wider scope, may find one."
    return STATUS_MEANINGS[run.status]


def _aside(baseline: Baseline) -> list[str]:
    kinds = (
        (len(baseline.flaky), "flaky"),
        (len(baseline.skipped), "skipped"),
        (len(baseline.other_failing), "failing otherwise"),
    )
    return [f"{number:,} {kind}" for number, kind in kinds if number]


def phases(run: RepairRun, events: Sequence[RunEvent]) -> Iterator[Phase]:
    """The phases in their order; comparing only where it was begun.

    One that was skipped, since its result was known, is done when a later one is reached.
    """
    begun = [str(event.data.get("name")) for event in events if event.kind == "phase"]
    names = [_SAME_PHASE.get(name, name) for name in begun if name != "done"]
    reached = max((PHASES.index(name) for name in names if name in PHASES), default=-1)
    over = run.status.is_final
    for place, name in enumerate(PHASES):
        if name == "compare" and name not in names:
            continue
        now = place == reached and not over
        yield Phase(name, "now" if now else "done" if place <= reached else "open")


def burns(budget: Budget, usage: Usage) -> Iterator[Burn]:
    """Every limit with what is used of it; without a limit only what was used at all."""
    kinds = (
        ("candidates", usage.candidates, budget.candidates, lambda value: f"{value:,.0f}"),
        ("time", usage.seconds, budget.seconds, words.duration),
        ("money", usage.cost_usd, budget.cost_usd, words.money),
        ("tokens", usage.tokens, budget.tokens, lambda value: f"{value:,.0f}"),
        ("model calls", usage.calls, budget.calls, lambda value: f"{value:,.0f}"),
    )
    for name, used, limit, told in kinds:
        if limit:
            yield Burn(name, told(used), told(limit), min(1.0, used / limit))
        elif used:
            yield Burn(name, told(used), "", None)


def tests_view(baseline: Baseline, report: ValidationReport | None) -> TestsView:
    """The tests before, and with the patch of the report."""
    failed = {} if report is None else {result.test: result.outcome for result in report.results}
    lines = tuple(_test_line(result, report, failed) for result in baseline.failing[:SHOWN_TESTS])
    after = None if report is None else report.regressions_run - report.regressions_failed
    return TestsView(
        lines,
        max(0, len(baseline.failing) - SHOWN_TESTS),
        len(baseline.passing),
        after,
        tuple(_aside(baseline)),
        tuple(
            f"{test}: passed {baseline.passes.get(test, 0)} of {baseline.repeats} times"
            for test in baseline.flaky
        ),
    )


def _test_line(
    before: TestResult,
    report: ValidationReport | None,
    failed: Mapping[TestId, TestOutcome],
) -> TestLine:
    after = failed.get(before.test)
    if after is None and report is not None and report.is_plausible:
        after = TestOutcome.PASSED
    return TestLine(before.test, before.outcome, before.message, after)


def _facts(run: RepairRun, events: Sequence[RunEvent]) -> Iterator[tuple[str, str]]:
    command = run.bug.test_command
    yield "subject", run.bug.subject
    if run.bug.base_commit:
        yield "commit", run.bug.base_commit[:12]
    yield "tests by", " ".join((command.kind.value, *command.argv))
    yield "generator", generator_name(run)
    yield "search", f"{run.settings.get('policy', 'mcts')}, {run.settings.get('preset', 'ranked')}"
    yield "formula", str(run.settings.get("formula", ""))
    if (sandbox := _last(events, "sandbox")) is not None:
        yield "sandbox", str(sandbox.get("name", ""))
    yield "seed", str(run.seed)
    if run.usage.seconds and run.usage.candidates:
        yield "speed", f"{run.usage.candidates / run.usage.seconds:,.0f} candidates/s"
    yield "validations", f"{run.usage.validations:,}"


def _last(events: Sequence[RunEvent], kind: str) -> Mapping[str, Any] | None:
    return next((event.data for event in reversed(events) if event.kind == kind), None)
