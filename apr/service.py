"""Use cases: submit a run, execute or resume it, look at it. The same for every door."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from apr.answers import add_test
from apr.candidates import sort_by_behaviour
from apr.comparison import NamedPatch, compare_patches
from apr.core.behaviour import Behaviour
from apr.core.bug import Bug
from apr.core.candidate import patch_from_diff
from apr.core.diff import FileChange
from apr.core.errors import (
    AprError,
    BadInputError,
    ExitCode,
    LeaseLostError,
    PatchDoesNotApplyError,
    QueueUnavailableError,
    RunCancelledError,
    RunElsewhereError,
    RunHandedBackError,
    StoreUnavailableError,
    is_passing,
)
from apr.core.location import SuspiciousLocation
from apr.core.oracle import Oracle
from apr.core.patch import Patch
from apr.core.ports import JobQueue, RunStore, ValidationBoard
from apr.core.report import Baseline, ValidationReport
from apr.core.run import Budget, Garbage, RepairRun, RunStatus, Submission, Usage
from apr.core.tracing import NoTracing, Tracing
from apr.core.tree import NOTHING, SearchTree
from apr.helping import ORACLE
from apr.oracles import find_oracle, keep_oracle, oracle_key
from apr.ownership import LEASE_S, HandBack, Ownership, keep, owning
from apr.repair import Known, Notify, OpenProposer, Repair, judge_diffs, repair
from apr.search.loop import SearchStep, StopReason
from apr.settings import RunSettings
from apr.sharing import SharedValidator
from apr.storage.behaviour import decode_behaviour, encode_behaviour
from apr.storage.oracle import decode_oracle, encode_oracle
from apr.subject import PreparedSubject, prepare_subject
from validation.patchdiff.model import DiffReport, DiffSettings
from validation.patchdiff.written import Author
from validation.validator import GatedValidator, StagedValidator
from validation.workspace import SourceTree

BEHAVIOUR = "behaviour"
SEARCH_EVENT_S = 1.0
ProgressListener = Notify


@dataclass(frozen=True, slots=True)
class Localization:
    """A baseline and its ranked suspects, without a run."""

    baseline: Baseline
    locations: tuple[SuspiciousLocation, ...]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Validation:
    """The baseline, and a report on each patch that was given, in order."""

    baseline: Baseline
    reports: tuple[ValidationReport, ...]


class Service:
    """All that a command line, an API or a worker may ask for."""

    def __init__(
        self,
        store: RunStore,
        open_proposer: OpenProposer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease_s: float = LEASE_S,
        tracing: Tracing | None = None,
    ) -> None:
        self.store = store
        self.tracing: Tracing = tracing or NoTracing()
        self._open_proposer = open_proposer
        self._clock = clock
        self._lease_s = lease_s

    def submit_run(self, bug: Bug, settings: RunSettings, budget: Budget, seed: int) -> RepairRun:
        """Save a run as QUEUED."""
        now = self._clock()
        run = RepairRun(
            id=f"{now:%y%m%d-%H%M%S}-{secrets.token_hex(3)}",
            bug=bug,
            settings=settings.model_dump(mode="json"),
            seed=seed,
            status=RunStatus.QUEUED,
            budget=budget,
            usage=Usage(),
            created_at=now,
        )
        self.store.create_run(run)
        return run

    def answer(self, run_id: str, text: str, *, fails: bool) -> RepairRun:
        """Save a run like another, QUEUED, whose patches must pass one test more.

        `fails` says that the test fails without a patch.

        Raises:
            BadInputError: when the test cannot be added to the bug.
        """
        run = self.store.get_run(run_id)
        settings = RunSettings.model_validate(run.settings)
        return self.submit_run(add_test(run.bug, text, fails=fails), settings, run.budget, run.seed)

    def enqueue_run(self, run_id: str, queue: JobQueue, priority: int = 0) -> None:
        """Hand a run over to the queue, to be begun or gone on with.

        Raises:
            QueueUnavailableError: when the queue cannot be reached; nothing will happen then.
        """
        self.store.submit(run_id, priority)
        try:
            queue.submit(Submission(run_id, priority))
        except QueueUnavailableError:
            self.store.withdraw(run_id)
            raise

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run that has not ended; whoever executes it stops within seconds."""
        going_on = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.INTERRUPTED)
        if not self.store.change_status(run_id, going_on, RunStatus.CANCELLED, "by the user"):
            return False
        self.store.append_event(run_id, "ended", _ended(RunStatus.CANCELLED, "by the user"))
        return True

    def execute_run(self, run_id: str, listener: ProgressListener | None = None) -> RepairRun:
        """Execute a run here, or go on with an interrupted one.

        Raises:
            AprError: when the run cannot be executed; it is then FAILED, and says why.
            KeyboardInterrupt: after the run was saved as INTERRUPTED.
        """
        run = self.store.get_run(run_id)
        patience_s = self._lease_s + 1
        with owning(self.store, run.id, self._lease_s, patience_s=patience_s) as own:
            recorder = _Recorder(own.store, run.id, listener)
            with _stoppable(own.store, run.id):
                own.store.set_status(run.id, RunStatus.RUNNING)
                return self._execute_owned(run.id, own, recorder)

    def execute_submitted(
        self,
        run_id: str,
        hand_back: HandBack = keep,
        *,
        may_repeat: bool = False,
        board: ValidationBoard | None = None,
    ) -> RepairRun:
        """Execute a run that came from the queue, unless that is another's business.

        `may_repeat`: what this machine's state of the moment breaks, a full disk say, hands the
        run back instead of failing it. `board`: where helpers may take patches to judge.

        Raises:
            AprError: when the run cannot be executed; it is then FAILED, and says why.
            RunElsewhereError: when the run is executed by someone else, or has ended.
            RunHandedBackError: when `hand_back` wants it, or see above; the run is QUEUED then.
        """
        with owning(self.store, run_id, self._lease_s, hand_back=hand_back) as own:
            # Whoever owned a run that is RUNNING has let the lease run out.
            waiting = (RunStatus.QUEUED, RunStatus.RUNNING)
            notify = _Recorder(own.store, run_id, None, searches_every_s=SEARCH_EVENT_S)
            with _stoppable(own.store, run_id):
                if not own.store.change_status(run_id, waiting, RunStatus.RUNNING):
                    raise RunElsewhereError(f"run {run_id} does not wait to be executed")
                return self._execute_owned(run_id, own, notify, board, may_repeat=may_repeat)

    def _execute_owned(
        self,
        run_id: str,
        own: Ownership,
        notify: _Recorder,
        board: ValidationBoard | None = None,
        *,
        may_repeat: bool = False,
    ) -> RepairRun:
        run, store = own.store.get_run(run_id), own.store  # as the former owner left it
        try:
            with self.tracing.span("run", run.id, subject=run.bug.subject):
                result = self._execute(run, own, notify, board)
        except (LeaseLostError, StoreUnavailableError):
            raise  # nothing can, or may, be written
        except RunCancelledError:
            return store.get_run(run.id)
        except RunHandedBackError as error:
            store.change_status(run.id, [RunStatus.RUNNING], RunStatus.QUEUED, str(error))
            raise
        except Exception as error:
            if may_repeat and is_passing(error):
                message = f"to be tried again: {error}"
                store.change_status(run.id, [RunStatus.RUNNING], RunStatus.QUEUED, message)
                raise RunHandedBackError(message) from error
            told = _failure(error)
            notify("failed", told)
            store.set_status(run.id, RunStatus.FAILED, told["message"])
            notify("ended", _ended(RunStatus.FAILED, told["message"]))
            raise
        store.save_usage(run.id, result.usage)
        store.save_patches(run.id, result.patches)
        notify("phase", {"name": "done"})
        # It is QUEUED when someone took us for dead, but nobody has taken our place.
        ours = (RunStatus.RUNNING, RunStatus.QUEUED)
        status = _final_status(result)
        if store.change_status(run.id, ours, status, result.stopped.value):
            notify("ended", _ended(status, result.stopped.value))
        return store.get_run(run.id)

    def _execute(
        self, run: RepairRun, own: Ownership, notify: Notify, board: ValidationBoard | None
    ) -> Repair:
        settings, store = RunSettings.model_validate(run.settings), own.store
        notify("phase", {"name": "copy"})
        with prepare_subject(run.bug, settings, own.switch) as subject:
            _announce(subject, notify)
            with self.tracing.span("localize", run.id):
                oracle = self._oracle(run, subject, settings, store, notify)
            known = Known(store.load_reports(run.id), run.usage, self._paid(run.id))
            result = repair(
                run.bug,
                subject,
                oracle,
                settings,
                run.budget,
                run.seed,
                self._open_proposer,
                known,
                _Saver(own, run, notify),
                notify,
                store,
                lambda measured: self._complete_oracle(run, subject, settings, store, measured),
                lambda usage: _spend(own, run.id, usage),
                partial(_shared, board, run.id, settings.jobs),
                partial(self.tracing.span, run_id=run.id),
            )
            behaviour = sort_by_behaviour(result, subject, settings, run.seed, notify)
            own.switch.check()
            if behaviour is not None:
                store.save_artifact(run.id, BEHAVIOUR, encode_behaviour(behaviour))
            return result

    def _paid(self, run_id: str) -> dict[str, Usage]:
        """What asking a model about each patch of the run has cost so far."""
        nodes = self.store.load_outline(run_id).nodes
        return {node.patch.digest: node.spent for node in nodes if node.spent != NOTHING}

    def _oracle(
        self,
        run: RepairRun,
        subject: PreparedSubject,
        settings: RunSettings,
        store: RunStore,
        notify: Notify,
    ) -> Oracle:
        saved = store.load_artifact(run.id, ORACLE)
        if saved is None:
            oracle = find_oracle(run.bug, subject, settings, notify, store)
            store.save_artifact(run.id, ORACLE, encode_oracle(oracle))
            return oracle
        oracle = decode_oracle(saved)
        if oracle.subject_digest != subject.digest:
            raise BadInputError(
                f"{run.bug.subject} has changed since run {run.id} began; start a new run"
            )
        return oracle

    def _complete_oracle(
        self,
        run: RepairRun,
        subject: PreparedSubject,
        settings: RunSettings,
        store: RunStore,
        oracle: Oracle,
    ) -> None:
        """Keep what was found out in addition, for this run and for later ones."""
        store.save_artifact(run.id, ORACLE, encode_oracle(oracle))
        keep_oracle(oracle_key(run.bug, subject, settings), oracle, store)

    def localize(
        self, bug: Bug, settings: RunSettings, listener: ProgressListener | None = None
    ) -> Localization:
        """Baseline and ranking only; no run is stored."""
        notify = listener or _silent
        notify("phase", {"name": "copy"})
        with prepare_subject(bug, settings) as subject:
            _announce(subject, notify)
            oracle = find_oracle(bug, subject, settings, notify, self.store)
        notify("phase", {"name": "done"})
        return Localization(oracle.baseline, oracle.locations, subject.sources)

    def validate(
        self,
        bug: Bug,
        settings: RunSettings,
        diffs: Sequence[Sequence[FileChange]],
        listener: ProgressListener | None = None,
    ) -> Validation:
        """Judge diffs as a run judges its candidates; no run is stored.

        Raises:
            AprError: when the subject's tests cannot be run, or show no bug.
        """
        notify = listener or _silent
        notify("phase", {"name": "copy"})
        with prepare_subject(bug, settings) as subject:
            _announce(subject, notify)
            oracle = find_oracle(bug, subject, settings, notify, self.store)
            reports = judge_diffs(diffs, subject, oracle, settings, notify)
        notify("phase", {"name": "done"})
        return Validation(oracle.baseline, reports)

    def diff(
        self,
        bug: Bug,
        settings: RunSettings,
        diffs: Mapping[str, Sequence[FileChange]],
        how: DiffSettings,
        listener: ProgressListener | None = None,
        author: Author | None = None,
    ) -> DiffReport:
        """Find out how diffs, by name, make the subject behave differently; nothing is stored.

        The `author` may write tests of the affected functions.

        Raises:
            BadInputError: when a diff does not fit the subject, or its tests cannot be traced.
            EnvironmentUnusableError: when the subject's tests cannot be run.
        """
        notify = listener or _silent
        notify("phase", {"name": "copy"})
        with prepare_subject(bug, settings) as subject:
            _announce(subject, notify)
            base = SourceTree(subject.workspace.pristine)
            patches = [NamedPatch(name, _fitting(name, diffs[name], base)) for name in diffs]
            report = compare_patches(subject, patches, how, notify, author)
        notify("phase", {"name": "done"})
        return report

    def get_run(self, prefix: str) -> RepairRun:
        """The run whose id starts so.

        Raises:
            BadInputError: when there is none, or more than one.
        """
        return self.store.get_run(prefix)

    def list_runs(
        self, *, limit: int = 50, offset: int = 0, status: RunStatus | None = None
    ) -> Sequence[RepairRun]:
        """Newest first; of one status, or all."""
        return self.store.list_runs(limit=limit, offset=offset, status=status)

    def delete_runs(self, ended_before: datetime, *, only_count: bool = False) -> Garbage:
        """See `RunStore.delete_runs`."""
        return self.store.delete_runs(ended_before, only_count=only_count)

    def tree(self, run_id: str) -> SearchTree:
        """The whole search tree of a run."""
        return self.store.load_tree(run_id)

    def outline(self, run_id: str) -> SearchTree:
        """The search tree of a run as a drawing needs it; see `RunStore.load_outline`."""
        return self.store.load_outline(run_id)

    def oracle(self, run_id: str) -> Oracle | None:
        """The measured oracle of a run that got so far, without the coverage."""
        saved = self.store.load_artifact(run_id, ORACLE)
        return None if saved is None else decode_oracle(saved, is_brief=True)

    def behaviour(self, run_id: str) -> Behaviour | None:
        """How the plausible patches of a run behave, where they were compared."""
        saved = self.store.load_artifact(run_id, BEHAVIOUR)
        return None if saved is None else decode_behaviour(saved)

    def locations(self, run_id: str) -> tuple[SuspiciousLocation, ...]:
        """The suspects of a run that got so far."""
        oracle = self.oracle(run_id)
        return () if oracle is None else oracle.locations


def _silent(kind: str, data: Mapping[str, Any]) -> None:
    """A listener for nobody."""


def _announce(subject: PreparedSubject, notify: Notify) -> None:
    notify("sandbox", {"name": subject.sandbox.name})
    for path in subject.skipped:
        notify("warning", {"message": f"{path} is not UTF-8 text and will not be patched"})


def _final_status(result: Repair) -> RunStatus:
    if result.patches:
        return RunStatus.SUCCEEDED
    if result.stopped is StopReason.CANCELLED:
        return RunStatus.CANCELLED
    return RunStatus.EXHAUSTED


def _ended(status: RunStatus, message: str) -> dict[str, Any]:
    return {"status": status.value, "message": message}


def _failure(error: Exception) -> dict[str, Any]:
    """What a user is told, and the exit code."""
    if isinstance(error, AprError):
        return {"message": str(error), "exit_code": int(error.exit_code)}
    return {"message": f"internal error: {error}", "exit_code": int(ExitCode.ENVIRONMENT)}


def _shared(
    board: ValidationBoard | None, run_id: str, jobs: int, validator: StagedValidator
) -> GatedValidator:
    return validator if board is None else SharedValidator(validator, board, run_id, jobs)


@contextmanager
def _stoppable(store: RunStore, run_id: str) -> Iterator[None]:
    """A run that is stopped at any moment, its last writes included, is INTERRUPTED."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        store.change_status(
            run_id, [RunStatus.RUNNING], RunStatus.INTERRUPTED, "stopped by the user"
        )
        raise


def _spend(own: Ownership, run_id: str, usage: Usage) -> None:
    """Write down what is spent, unless the run is not to go on: then no model is asked either."""
    own.switch.check()
    own.store.save_usage(run_id, usage)


def _fitting(name: str, changes: Sequence[FileChange], base: Mapping[str, str]) -> Patch:
    try:
        return patch_from_diff(changes, base)
    except PatchDoesNotApplyError as error:
        raise BadInputError(f"the {name} patch does not fit the subject: {error}") from error


class _Recorder:
    """Keeps the lasting events in the store and passes all of them on."""

    LASTING = frozenset(
        {"phase", "sandbox", "baseline", "locations", "plausible", "warning"}
        | {"discrepancy", "model", "assembly", "failed", "ended"}
    )

    def __init__(
        self,
        store: RunStore,
        run_id: str,
        listener: ProgressListener | None,
        searches_every_s: float = math.inf,
    ) -> None:
        """`searches_every_s`: how often the progress of the search is kept, for who is far away."""
        self._store = store
        self._run_id = run_id
        self._listener = listener
        self._searches_every_s = searches_every_s
        self._next_search = time.monotonic() if math.isfinite(searches_every_s) else math.inf

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind in self.LASTING or self._is_due(kind):
            self._store.append_event(self._run_id, kind, data)
        if self._listener is not None:
            self._listener(kind, data)

    def _is_due(self, kind: str) -> bool:
        now = time.monotonic()
        if kind != "search" or now < self._next_search:
            return False
        self._next_search = now + self._searches_every_s
        return True


class _Saver:
    """The search's observer: stores every batch and reports how far the search has come."""

    def __init__(self, own: Ownership, run: RepairRun, notify: Notify) -> None:
        self._store = own.store
        self._switch = own.switch
        self._run = run
        self._notify = notify
        self._best: dict[str, Any] | None = None
        self._best_reward = float("-inf")
        self._plausible = 0

    def __call__(self, step: SearchStep) -> bool:
        self._switch.check()
        self._store.save_nodes(self._run.id, (*step.added, *step.changed))
        self._store.save_usage(self._run.id, step.usage)
        for node in step.added:
            report = node.report
            if report is None:
                continue
            if report.is_plausible:
                self._plausible += 1
                self._notify("plausible", {"node": node.id, "origin": node.origin})
            if node.reward > self._best_reward:
                self._best_reward = node.reward
                self._best = {
                    "origin": node.origin,
                    "triggers_passed": report.triggers_passed,
                    "triggers_total": report.triggers_total,
                }
        self._notify("search", self._progress(step.usage))
        return True

    def _progress(self, usage: Usage) -> dict[str, Any]:
        return {
            "candidates": usage.candidates,
            "validations": usage.validations,
            "best_reward": self._best_reward if self._best else 0.0,
            "best": self._best,
            "plausible": self._plausible,
            "seconds": usage.seconds,
            "rate": usage.candidates / usage.seconds if usage.seconds > 0 else 0.0,
            "limit_candidates": self._run.budget.candidates,
            "limit_seconds": self._run.budget.seconds,
        }
