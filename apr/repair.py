"""One repair from end to end: reproduce, localize, search, confirm, rank."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Protocol

from apr.core.bug import Bug, RunnerKind
from apr.core.candidate import patch_from_diff
from apr.core.diff import FileChange
from apr.core.errors import PatchDoesNotApplyError
from apr.core.model import Purse
from apr.core.oracle import Oracle
from apr.core.patch import Patch, render_diff
from apr.core.ports import Evaluator, Generator, OutcomeStore, PatchValidator, RepairContext
from apr.core.report import Baseline, Stage, ValidationReport, Verdict
from apr.core.run import Budget, RankedPatch, Usage
from apr.core.tracing import Span, no_span
from apr.core.tree import SearchNode, SearchTree
from apr.generation.assembly.generator import Assembled
from apr.search.budget import BudgetMeter
from apr.search.loop import SearchObserver, SearchResult, StopReason, search, text_of
from apr.search.settings import (
    ADAPTIVE,
    APRMCTS,
    MULTIMEND,
    RANKED,
    Backpropagation,
    Formula,
    Policy,
    SearchSettings,
    Widening,
)
from apr.settings import RunSettings
from apr.subject import PreparedSubject
from apr.suspects import Relocation, rank_suspects
from validation.baseline import reproduce
from validation.cache import CachingValidator, plan_scope
from validation.equivalence import NormalForms
from validation.fingerprint import environment_digest, image_id
from validation.integrity import IntegrityGate, IntegritySettings, Scope
from validation.integrity.gate import parse_reaches
from validation.plan import ValidationSettings
from validation.sandbox.admission import sandboxes_that_fit
from validation.sandbox.policy import SandboxPolicy
from validation.validator import GatedValidator, StagedValidator
from validation.workspace import SourceTree


@dataclass(frozen=True, slots=True)
class Conversation:
    """What came of asking a language model.

    Of `requests` so many were known `from_cache`, and so many `uncounted`: their replies came
    without a count of tokens. Of `answers`, those were `rejected` that held no patch, by the
    reason. Without `is_priced` nothing is known about the money.
    """

    requests: int
    from_cache: int
    uncounted: int
    is_priced: bool
    answers: int
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Proposer:
    """Who proposes patches in a run, and who says what they are worth."""

    generator: Generator
    evaluator: Evaluator
    conversation: Callable[[], Conversation] | None = None
    assembled: Callable[[], Assembled | None] = lambda: None


PRESETS = {"ranked": RANKED, "adaptive": ADAPTIVE, "aprmcts": APRMCTS, "multimend": MULTIMEND}
CHAIN = 3
"""Patches after which trial and error starts anew, as in ChatRepair."""

JUDGE_MARGIN = 0.2
"""A judge alone makes a patch an improvement when it likes it so much better, times its weight."""

_ENUMS = {"widening": Widening, "formula": Formula, "backpropagation": Backpropagation}

OpenProposer = Callable[[RunSettings, RepairContext, Purse], AbstractContextManager[Proposer]]
"""Makes the proposer of a run, which spends what the run's purse allows."""


class Notify(Protocol):
    """Hears of everything worth telling a user; kinds and data are listed in docs/events.md."""

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What an interrupted run had found out already, and what it had spent, also on each patch."""

    reports: Mapping[str, ValidationReport]
    usage: Usage
    paid: Mapping[str, Usage]


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
        must_fail=settings.must_fail,
        on_result=lambda result: notify(
            "test",
            {"id": result.test, "outcome": result.outcome.value, "duration_s": result.duration_s},
        ),
    )
    tell_baseline(reproduction.baseline, notify)
    measured = Oracle(reproduction.baseline, reproduction.matrix, (), subject.digest)
    return locate_suspects(measured, subject, settings, notify)


def tell_baseline(baseline: Baseline, notify: Notify, *, is_known: bool = False) -> None:
    """Tell users the counts of a baseline; `is_known`: an earlier run has measured it."""
    notify("baseline", describe_baseline(baseline) | {"is_known": is_known})


def locate_suspects(
    oracle: Oracle, subject: PreparedSubject, settings: RunSettings, notify: Notify
) -> Oracle:
    """The oracle with its suspects ranked as the settings want it.

    Raises:
        BadInputError: when a given location or the formula does not exist.
    """
    notify("phase", {"name": "localize"})
    locations = rank_suspects(
        subject.sources, settings, oracle.matrix, oracle.baseline, subject.bug.issue_text
    )
    notify(
        "locations",
        {"count": len(locations), "top": [str(suspect.location) for suspect in locations[:5]]},
    )
    return replace(oracle, locations=locations)


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
    outcomes: OutcomeStore | None = None,
    remember: Callable[[Oracle], None] = lambda oracle: None,
    spend: Callable[[Usage], None] = lambda usage: None,
    share: Callable[[StagedValidator], GatedValidator] = lambda validator: validator,
    span: Span = no_span,
) -> Repair:
    """Search for patches that make the trigger tests pass, and confirm and rank what is found.

    `outcomes` keeps verdicts for later runs; `remember` is handed the oracle with whatever was
    measured in addition, `spend` all that is spent by then whenever a model is asked or answers.
    `share` may let others judge patches too. `span` is opened around what takes long.
    """
    notify("phase", {"name": "search"})
    context = _context(bug, subject, oracle, settings, seed)
    meter = BudgetMeter(budget, time.monotonic, known.usage)
    purse = RecordingPurse(meter, spend)
    forms = NormalForms(subject.sources, subject.test_sources)
    with (
        open_proposer(settings, context, purse) as proposer,
        open_validator(subject, oracle, settings, notify) as validator,
    ):
        if oracle.staging is None:
            remember(replace(oracle, staging=validator.staging))
        result = search(
            context,
            proposer.generator,
            Confirming(reusing(share(validator), subject, settings, outcomes, forms), notify),
            proposer.evaluator,
            search_settings(settings),
            meter,
            seed=seed,
            known=known.reports,
            paid=known.paid,
            observer=observer,
            program_of=_what_is_distinct(settings, forms),
            span=span,
        )
        _tell(proposer, notify)
        _tell_assembly(proposer, meter.usage, notify)
    ranked = rank(result, subject.sources)
    return Repair(ranked, result.stopped, result.tree, meter.usage)


def _context(
    bug: Bug, subject: PreparedSubject, oracle: Oracle, settings: RunSettings, seed: int
) -> RepairContext:
    """What generators are told of the bug."""
    return RepairContext(
        bug=bug,
        sources=subject.sources,
        locations=oracle.locations,
        failures=oracle.baseline.failing,
        test_sources=subject.test_sources,
        seed=seed,
        relocate=Relocation(subject.sources, settings, oracle),
    )


def _what_is_distinct(settings: RunSettings, forms: NormalForms) -> Callable[[Patch], str]:
    """By what two patches count as one."""
    return partial(program_name, forms) if settings.tree.distinct == "programs" else text_of


class RecordingPurse:
    """A run's purse that has every reservation written down before the money can be spent.

    Whoever goes on with a run that was killed in the middle of a question thus knows what the
    question may have cost.
    """

    def __init__(self, meter: BudgetMeter, record: Callable[[Usage], None]) -> None:
        self._meter = meter
        self._record = record

    @property
    def caps_money(self) -> bool:
        """See `Purse.caps_money`."""
        return self._meter.caps_money

    def reserve(self, amount: Usage) -> None:
        """See `Purse.reserve`."""
        self._meter.reserve(amount)
        self._record(self._meter.usage)

    def settle(self, reserved: Usage, spent: Usage) -> None:
        """See `Purse.settle`."""
        self._meter.settle(reserved, spent)
        self._record(self._meter.usage)


def _tell(proposer: Proposer, notify: Notify) -> None:
    """What a model's answers were like, and what is not known about their costs."""
    if proposer.conversation is None:
        return
    told = proposer.conversation()
    notify("model", asdict(told))
    if told.uncounted:
        notify(
            "warning",
            {
                "message": f"{told.uncounted} replies came without a count of their tokens and"
                " were charged with all that had been reserved for them"
            },
        )
    if not told.is_priced and told.requests > told.from_cache:
        notify("warning", {"message": "the model's price is unknown: money was not counted"})


def _tell_assembly(proposer: Proposer, spent: Usage, notify: Notify) -> None:
    """What a bug in several hunks has cost, beside what all combinations would have."""
    assembled = proposer.assembled()
    if assembled is not None:
        notify(
            "assembly",
            {
                "candidates": list(assembled.candidates),
                "combinations": assembled.combinations,
                "judged": spent.candidates,
            },
        )


def judge_diffs(
    diffs: Sequence[Sequence[FileChange]],
    subject: PreparedSubject,
    oracle: Oracle,
    settings: RunSettings,
    notify: Notify,
) -> tuple[ValidationReport, ...]:
    """A report on each diff, in order; one that is no patch of the subject does not apply."""
    notify("phase", {"name": "validate"})
    base = SourceTree(subject.workspace.pristine)
    reports: dict[int, ValidationReport] = {}
    patches: dict[int, Patch] = {}
    for index, changes in enumerate(diffs):
        try:
            patches[index] = patch_from_diff(changes, base)
        except PatchDoesNotApplyError as error:
            reports[index] = ValidationReport(
                Verdict.DOES_NOT_APPLY, Stage.APPLY, message=str(error)
            )
    with open_validator(subject, oracle, settings, notify) as validator:
        judged = Confirming(validator, notify, "validate").validate(list(patches.values()))
    reports.update(zip(patches, judged, strict=True))
    return tuple(reports[index] for index in range(len(diffs)))


def _silent(kind: str, data: Mapping[str, Any]) -> None:
    """Nobody listens."""


def open_validator(
    subject: PreparedSubject, oracle: Oracle, settings: RunSettings, notify: Notify = _silent
) -> StagedValidator:
    """The validator of a run, still to be entered."""
    return StagedValidator(
        subject.runner,
        subject.workspace.root,
        oracle.baseline,
        oracle.matrix,
        ValidationSettings(
            jobs=_affordable_jobs(settings, notify),
            floor_s=settings.floor_s,
            factor=settings.factor,
            confirmations=settings.confirmations,
            limits=subject.limits,
        ),
        can_protect=subject.sandbox.name != "process",
        likely=tuple(suspect.location.path for suspect in oracle.locations[:1]),
        gate=IntegrityGate(
            subject.sources,
            Scope(subject.bug.source_globs, frozenset(oracle.baseline.durations_s)),
            IntegritySettings(settings.allow_paths, parse_reaches(settings.allow_reaches)),
        ),
        staging=oracle.staging,
    )


def _affordable_jobs(settings: RunSettings, notify: Notify) -> int:
    """As many jobs as were asked for, or as this machine has memory for."""
    fitting = sandboxes_that_fit(SandboxPolicy(memory_mib=settings.memory_mib))
    if fitting >= settings.jobs:
        return settings.jobs
    notify(
        "warning",
        {
            "message": f"memory for {fitting} of {settings.jobs} jobs: a sandbox may use"
            f" {settings.memory_mib} MiB (--memory lowers that)"
        },
    )
    return fitting


def reusing(
    validator: GatedValidator,
    subject: PreparedSubject,
    settings: RunSettings,
    outcomes: OutcomeStore | None,
    forms: NormalForms,
) -> PatchValidator:
    """The entered validator, made to judge every program only once if the settings allow it."""
    if not settings.cache:
        return validator
    limits = settings.model_dump(
        mode="json",
        include={"memory_mib", "test_timeout_s", "suite_timeout_s", "floor_s", "factor"}
        | {"confirmations", "allow_paths", "allow_reaches"},
    )
    command, globs = subject.bug.test_command, subject.bug.source_globs
    image = None if subject.image is None else image_id(subject.image)
    if image is None and command.kind is RunnerKind.COMMAND:
        outcomes = None  # any program of this machine may take part, and may be another one later
    scope = "\0".join(
        (
            subject.digest,
            plan_scope(validator.plan),
            environment_digest(command, subject.sandbox.name, image, limits | {"scope": globs}),
        )
    )
    return CachingValidator(validator, forms, subject.sources, scope, outcomes)


def program_name(forms: NormalForms, patch: Patch) -> str:
    """What patches that make one program share; the digest of one that does not apply."""
    try:
        return forms.of(patch)
    except PatchDoesNotApplyError:
        return patch.digest


def search_settings(settings: RunSettings) -> SearchSettings:
    """The part of a run's settings that steers the search."""
    shape = PRESETS[settings.preset]
    policy = Policy(settings.policy)
    if policy is Policy.TRIAL_AND_ERROR:
        patience = shape.patience * shape.batch  # as many answers in vain as in larger batches
        chained = replace(shape, widening=Widening.PROGRESSIVE, max_depth=CHAIN)
        shape = replace(chained, batch=1, patience=patience)
    elif settings.preset == "adaptive" and settings.parallel > 1:
        shape = replace(shape, batch=1)
    if settings.llm is not None and settings.llm.judge_weight:
        margin = JUDGE_MARGIN * settings.llm.judge_weight
        shape = replace(shape, improvement_margin=margin)
    changed = settings.tree.model_dump(exclude_none=True, exclude={"distinct"})
    for name, kind in _ENUMS.items():
        if name in changed:
            changed[name] = kind(changed[name])
    return replace(
        shape,
        policy=policy,
        batch=settings.batch or shape.batch,
        parallel=settings.parallel,
        max_depth=settings.max_depth or shape.max_depth,
        plausible_wanted=settings.patches,
        **changed,
    )


class Confirming:
    """A validator that calls a patch plausible only after a clean run in a fresh sandbox."""

    def __init__(self, validator: PatchValidator, notify: Notify, phase: str = "search") -> None:
        """`phase` is what goes on after a confirmation, as told to `notify`."""
        self._validator = validator
        self._notify = notify
        self._phase = phase

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
        self._notify("phase", {"name": self._phase})
        return replace(
            report,
            duration_s=before.duration_s + report.duration_s,
            from_cache=before.from_cache and report.from_cache,
        )


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
