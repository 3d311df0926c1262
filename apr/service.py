"""Use cases: submit a run, execute or resume it, look at it. The same for every door."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apr.answers import add_test
from apr.candidates import sort_by_behaviour
from apr.comparison import NamedPatch, compare_patches
from apr.core.behaviour import Behaviour
from apr.core.bug import Bug
from apr.core.candidate import patch_from_diff
from apr.core.diff import FileChange
from apr.core.errors import AprError, BadInputError, LeaseLostError, PatchDoesNotApplyError
from apr.core.location import SuspiciousLocation
from apr.core.oracle import Oracle
from apr.core.patch import Patch
from apr.core.ports import RunStore
from apr.core.report import Baseline, ValidationReport
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.core.tree import NOTHING, SearchTree
from apr.oracles import find_oracle, keep_oracle, oracle_key
from apr.repair import Known, Notify, OpenProposer, Repair, judge_diffs, repair
from apr.search.loop import SearchStep, StopReason
from apr.settings import RunSettings
from apr.storage.behaviour import decode_behaviour, encode_behaviour
from apr.storage.oracle import decode_oracle, encode_oracle
from apr.subject import PreparedSubject, prepare_subject
from validation.patchdiff.model import DiffReport, DiffSettings
from validation.workspace import SourceTree

ORACLE = "oracle"
BEHAVIOUR = "behaviour"
LEASE_S = 15.0
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
    ) -> None:
        self.store = store
        self._open_proposer = open_proposer
        self._clock = clock

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

    def execute_run(self, run_id: str, listener: ProgressListener | None = None) -> RepairRun:
        """Execute a run, or go on with an interrupted one.

        Raises:
            AprError: when the run cannot be executed; it is then FAILED, and says why.
            KeyboardInterrupt: after the run was saved as INTERRUPTED.
        """
        run = self.store.get_run(run_id)
        notify = _Recorder(self.store, run.id, listener)
        with self._lease(run.id):
            run = self.store.get_run(run.id)  # as the former owner left it
            self.store.set_status(run.id, RunStatus.RUNNING)
            try:
                result = self._execute(run, notify)
            except (KeyboardInterrupt, SystemExit):
                self.store.set_status(run.id, RunStatus.INTERRUPTED, "stopped by the user")
                raise
            except LeaseLostError:
                raise
            except Exception as error:
                message = str(error) if isinstance(error, AprError) else f"internal error: {error}"
                self.store.set_status(run.id, RunStatus.FAILED, message)
                raise
            self.store.save_usage(run.id, result.usage)
            self.store.save_patches(run.id, result.patches)
            self.store.set_status(run.id, _final_status(result), result.stopped.value)
        notify("phase", {"name": "done"})
        return self.store.get_run(run.id)

    def _execute(self, run: RepairRun, notify: Notify) -> Repair:
        settings = RunSettings.model_validate(run.settings)
        notify("phase", {"name": "copy"})
        with prepare_subject(run.bug, settings) as subject:
            _announce(subject, notify)
            oracle = self._oracle(run, subject, settings, notify)
            known = Known(self.store.load_reports(run.id), run.usage, self._paid(run.id))
            result = repair(
                run.bug,
                subject,
                oracle,
                settings,
                run.budget,
                run.seed,
                self._open_proposer,
                known,
                _Saver(self.store, run, notify),
                notify,
                self.store,
                lambda measured: self._complete_oracle(run, subject, settings, measured),
                lambda usage: self.store.save_usage(run.id, usage),
            )
            behaviour = sort_by_behaviour(result, subject, settings, run.seed, notify)
            if behaviour is not None:
                self.store.save_artifact(run.id, BEHAVIOUR, encode_behaviour(behaviour))
            return result

    def _paid(self, run_id: str) -> dict[str, Usage]:
        """What asking a model about each patch of the run has cost so far."""
        nodes = self.store.load_tree(run_id).nodes
        return {node.patch.digest: node.spent for node in nodes if node.spent != NOTHING}

    def _oracle(
        self, run: RepairRun, subject: PreparedSubject, settings: RunSettings, notify: Notify
    ) -> Oracle:
        saved = self.store.load_artifact(run.id, ORACLE)
        if saved is None:
            oracle = find_oracle(run.bug, subject, settings, notify, self.store)
            self._save_oracle(run.id, oracle)
            return oracle
        oracle = decode_oracle(saved)
        if oracle.subject_digest != subject.digest:
            raise BadInputError(
                f"{run.bug.subject} has changed since run {run.id} began; start a new run"
            )
        return oracle

    def _complete_oracle(
        self, run: RepairRun, subject: PreparedSubject, settings: RunSettings, oracle: Oracle
    ) -> None:
        """Keep what was found out in addition, for this run and for later ones."""
        self._save_oracle(run.id, oracle)
        keep_oracle(oracle_key(run.bug, subject, settings), oracle, self.store)

    def _save_oracle(self, run_id: str, oracle: Oracle) -> None:
        self.store.save_artifact(run_id, ORACLE, encode_oracle(oracle))

    @contextmanager
    def _lease(self, run_id: str) -> Iterator[None]:
        """Own the run; wait for the lease of a dead owner to run out."""
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        deadline = time.monotonic() + LEASE_S + 1
        while not self.store.claim(run_id, owner, LEASE_S):
            if time.monotonic() > deadline:
                raise BadInputError(f"run {run_id} is being executed by another process")
            time.sleep(0.5)
        stop = threading.Event()
        beat = threading.Thread(target=self._renew, args=(run_id, owner, stop), daemon=True)
        beat.start()
        try:
            yield
        finally:
            stop.set()
            beat.join()
            self.store.release(run_id, owner)

    def _renew(self, run_id: str, owner: str, stop: threading.Event) -> None:
        while not stop.wait(LEASE_S / 3):
            try:
                self.store.renew(run_id, owner, LEASE_S)
            except LeaseLostError:
                return

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
    ) -> DiffReport:
        """Find out how diffs, by name, make the subject behave differently; nothing is stored.

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
            report = compare_patches(subject, patches, how, notify)
        notify("phase", {"name": "done"})
        return report

    def get_run(self, prefix: str) -> RepairRun:
        """The run whose id starts so.

        Raises:
            BadInputError: when there is none, or more than one.
        """
        return self.store.get_run(prefix)

    def list_runs(self, *, limit: int = 50, offset: int = 0) -> Sequence[RepairRun]:
        """Newest first."""
        return self.store.list_runs(limit=limit, offset=offset)

    def tree(self, run_id: str) -> SearchTree:
        """The whole search tree of a run."""
        return self.store.load_tree(run_id)

    def oracle(self, run_id: str) -> Oracle | None:
        """The measured oracle of a run that got so far."""
        saved = self.store.load_artifact(run_id, ORACLE)
        return None if saved is None else decode_oracle(saved)

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


def _fitting(name: str, changes: Sequence[FileChange], base: Mapping[str, str]) -> Patch:
    try:
        return patch_from_diff(changes, base)
    except PatchDoesNotApplyError as error:
        raise BadInputError(f"the {name} patch does not fit the subject: {error}") from error


class _Recorder:
    """Keeps the lasting events in the store and passes all of them on."""

    LASTING = frozenset(
        {"phase", "sandbox", "baseline", "locations", "plausible", "warning"}
        | {"discrepancy", "model"}
    )

    def __init__(self, store: RunStore, run_id: str, listener: ProgressListener | None) -> None:
        self._store = store
        self._run_id = run_id
        self._listener = listener

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind in self.LASTING:
            self._store.append_event(self._run_id, kind, data)
        if self._listener is not None:
            self._listener(kind, data)


class _Saver:
    """The search's observer: stores every batch and reports how far the search has come."""

    def __init__(self, store: RunStore, run: RepairRun, notify: Notify) -> None:
        self._store = store
        self._run = run
        self._notify = notify
        self._best: dict[str, Any] | None = None
        self._best_reward = float("-inf")
        self._plausible = 0

    def __call__(self, step: SearchStep) -> bool:
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
        return self._store.get_run(self._run.id).status is not RunStatus.CANCELLED

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
