"""A run store without a database: for tests, and for a run that nobody wants to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from apr.core.oracle import Oracle
from apr.core.report import ValidationReport
from apr.core.run import (
    Garbage,
    RankedPatch,
    RepairRun,
    RunEvent,
    RunStatus,
    Submission,
    Totals,
    Usage,
)
from apr.core.tree import SearchNode, SearchTree
from apr.storage import codec, rules
from apr.storage.linking import build_tree
from apr.storage.oracle import completed


@dataclass(slots=True)
class _Lease:
    owner: str
    expires_at: datetime


@dataclass(slots=True)
class _Record:
    """Everything about one run."""

    run: RepairRun
    nodes: dict[int, SearchNode] = field(default_factory=dict)
    reports: dict[str, ValidationReport] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    events: list[RunEvent] = field(default_factory=list)
    lease: _Lease | None = None
    submitted_at: datetime | None = None
    priority: int = 0
    losses: int = 0
    furthest: int = 0

    def lose(self) -> None:
        """Count that the run was lost; from the beginning if it had got further."""
        progress = self.run.usage.candidates + self.run.usage.calls
        self.losses = 1 if progress > self.furthest else self.losses + 1
        self.furthest = max(progress, self.furthest)


class InMemoryRunStore:
    """Implements `apr.core.ports.RunStore` in this process, with the manners of the database.

    What is read is a copy: changing it changes nothing here. Methods raise BadInputError for a
    run that does not exist. `clock` returns an aware time.
    """

    def __init__(self, clock: rules.Clock = rules.utc_now) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._outcomes: dict[str, ValidationReport] = {}
        self._oracles: dict[str, Oracle] = {}
        self._lock = RLock()
        self._owner: str | None = None

    def fenced(self, owner: str) -> InMemoryRunStore:
        """See `RunStore.fenced`."""
        view = copy(self)
        view._owner = owner
        return view

    def create_run(self, run: RepairRun) -> None:
        rules.check_new_run(run)
        with self._lock:
            if run.id in self._records:
                raise rules.run_exists(run.id)
            self._records[run.id] = _Record(_detached(run))

    def get_run(self, run_id: str) -> RepairRun:
        if not rules.is_run_id(run_id):
            raise rules.no_run(run_id)
        with self._lock:
            starting = (known for known in self._records if known.startswith(run_id))
            return _detached(self._records[rules.pick_run_id(run_id, starting)].run)

    def status(self, run_id: str) -> RunStatus:
        """See `RunStore.status`."""
        with self._lock:
            return self._record(run_id).run.status

    def list_runs(
        self, *, limit: int = 50, offset: int = 0, status: RunStatus | None = None
    ) -> Sequence[RepairRun]:
        """The newest first; of one status, or all."""
        with self._lock:
            runs = [record.run for record in self._records.values()]
        runs = [run for run in runs if status in (None, run.status)]
        runs.sort(key=lambda run: (run.created_at, run.id), reverse=True)
        return [_detached(run) for run in runs[offset : offset + limit]]

    def totals(self) -> Totals:
        """What all runs together are and have spent."""
        with self._lock:
            runs = [record.run for record in self._records.values()]
        spent = [astuple(run.usage) for run in runs]
        usage = Usage(*map(sum, zip(*spent, strict=True))) if spent else Usage()
        return Totals(dict(Counter(run.status for run in runs)), usage)

    def claim(self, run_id: str, owner: str, ttl_s: float) -> bool:
        with self._lock:
            record, now = self._record(run_id), self._clock()
            lease = record.lease
            if lease is not None and lease.owner != owner and lease.expires_at > now:
                return False
            record.lease = _Lease(owner, now + timedelta(seconds=ttl_s))
            return True

    def renew(self, run_id: str, owner: str, ttl_s: float) -> None:
        with self._lock:
            record = self._records.get(run_id)
            if record is None or record.lease is None or record.lease.owner != owner:
                raise rules.lease_lost(run_id, owner)
            record.lease.expires_at = self._clock() + timedelta(seconds=ttl_s)

    def release(self, run_id: str, owner: str) -> None:
        """Give up the lease; nothing happens when it belongs to someone else."""
        with self._lock:
            record = self._records.get(run_id)
            if record is not None and record.lease is not None and record.lease.owner == owner:
                record.lease = None

    def set_status(self, run_id: str, status: RunStatus, message: str = "") -> None:
        """A final status also sets the time of the end, any other one clears it."""
        finished_at = self._clock() if status.is_final else None
        self._update_run(run_id, status=status, message=message, finished_at=finished_at)

    def change_status(
        self, run_id: str, before: Collection[RunStatus], status: RunStatus, message: str = ""
    ) -> bool:
        """See `RunStore.change_status`."""
        with self._lock:
            if self._mine(run_id).run.status not in before:
                return False
            self.set_status(run_id, status, message)
            return True

    def submit(self, run_id: str, priority: int = 0) -> None:
        """See `SubmissionStore.submit`."""
        with self._lock:
            self.set_status(run_id, RunStatus.QUEUED)
            record = self._record(run_id)
            record.submitted_at, record.priority, record.losses = self._clock(), priority, 0

    def withdraw(self, run_id: str) -> None:
        """See `SubmissionStore.withdraw`."""
        with self._lock:
            self._record(run_id).submitted_at = None

    def submission(self, run_id: str) -> Submission | None:
        """See `SubmissionStore.submission`."""
        with self._lock:
            record = self._record(run_id)
            return None if record.submitted_at is None else Submission(run_id, record.priority)

    def reclaim(self) -> Sequence[Submission]:
        """See `SubmissionStore.reclaim`."""
        with self._lock:
            found = self._submitted(RunStatus.RUNNING)
            for submission in found:
                self._records[submission.run_id].lose()
                self.set_status(submission.run_id, RunStatus.QUEUED, "its worker was lost")
            lost = {s for s in found if self._records[s.run_id].losses >= rules.MAX_LOSSES}
            for submission in lost:
                self.set_status(submission.run_id, RunStatus.FAILED, rules.HOPELESS)
            found = [submission for submission in found if submission not in lost]
            return sorted(found, key=lambda submission: (-submission.priority, submission.run_id))

    def waiting(self) -> Sequence[Submission]:
        """See `SubmissionStore.waiting`."""
        with self._lock:
            return self._submitted(RunStatus.QUEUED)

    def _submitted(self, status: RunStatus) -> list[Submission]:
        """Those of a status that nobody owns, the most urgent first."""
        now = self._clock()
        found = [
            (-record.priority, record.submitted_at, run_id)
            for run_id, record in self._records.items()
            if record.submitted_at is not None
            and record.run.status is status
            and (record.lease is None or record.lease.expires_at <= now)
        ]
        return [Submission(run_id, -urgency) for urgency, _, run_id in sorted(found)]

    def save_usage(self, run_id: str, usage: Usage) -> None:
        self._update_run(run_id, usage=usage)

    def save_patches(self, run_id: str, patches: Sequence[RankedPatch]) -> None:
        """Replaces the patches saved before."""
        self._update_run(run_id, patches=_by_rank(patches))

    def _update_run(self, run_id: str, **changes: Any) -> None:
        with self._lock:
            record = self._mine(run_id)
            record.run = replace(record.run, **changes)

    def save_nodes(self, run_id: str, nodes: Sequence[SearchNode]) -> None:
        """Insert new nodes and update the statistics and reports of known ones.

        A candidate has one report, so the last one saved for a patch digest is kept.
        """
        with self._lock:
            record = self._mine(run_id)
            for node in sorted(nodes, key=lambda node: node.id):
                if node.report is not None:
                    record.reports[node.patch.digest] = node.report
                record.nodes[node.id] = _merged(record.nodes.get(node.id), node)

    def load_tree(self, run_id: str) -> SearchTree:
        with self._lock:
            record = self._record(run_id)
            nodes = [_with_report(record.nodes[i], record.reports) for i in sorted(record.nodes)]
        return build_tree(run_id, nodes)

    def load_outline(self, run_id: str) -> SearchTree:
        """See `RunStore.load_outline`."""
        tree = self.load_tree(run_id)
        for node in tree.nodes:
            if node.report is not None:
                node.report = replace(node.report, message="", results=(), sandbox="", flaky=())
        return tree

    def load_reports(self, run_id: str) -> Mapping[str, ValidationReport]:
        with self._lock:
            return dict(sorted(self._record(run_id).reports.items()))

    def save_artifact(self, run_id: str, name: str, content: bytes) -> None:
        """Replaces an artifact of that name."""
        with self._lock:
            self._mine(run_id).artifacts[name] = bytes(content)

    def load_artifact(self, run_id: str, name: str) -> bytes | None:
        with self._lock:
            return self._record(run_id).artifacts.get(name)

    def load_outcomes(self, keys: Sequence[str]) -> Mapping[str, ValidationReport]:
        with self._lock:
            return {key: self._outcomes[key] for key in keys if key in self._outcomes}

    def save_outcomes(self, reports: Mapping[str, ValidationReport]) -> None:
        with self._lock:
            self._outcomes.update(reports)

    def load_oracle(self, key: str) -> Oracle | None:
        with self._lock:
            return self._oracles.get(key)

    def keep_oracle(self, key: str, oracle: Oracle) -> Oracle:
        with self._lock:
            self._oracles[key] = completed(self._oracles.get(key, oracle), oracle)
            return self._oracles[key]

    def append_event(self, run_id: str, kind: str, data: Mapping[str, Any]) -> RunEvent:
        """The event with its number: 1, 2, 3… without a gap.

        Raises:
            TypeError, ValueError: when `data` is no JSON.
        """
        plain = codec.plain_json(data)
        with self._lock:
            events = self._mine(run_id).events
            events.append(RunEvent(len(events) + 1, self._clock(), kind, plain))
            return _copied(events[-1])

    def events(self, run_id: str, after: int = 0) -> Iterator[RunEvent]:
        """The events numbered above `after`, in order, as of the call."""
        with self._lock:
            known = self._record(run_id).events
            return iter([_copied(event) for event in known if event.sequence > after])

    def delete_runs(self, ended_before: datetime, *, only_count: bool = False) -> Garbage:
        """See `RunStore.delete_runs`."""
        with self._lock:
            ends = {run_id: record.run.finished_at for run_id, record in self._records.items()}
            old = {run_id for run_id, end in ends.items() if end is not None and end < ended_before}
            kept = self._blobs(set(self._records) - old)
            gone = self._blobs(old) - kept
            if not only_count:
                for run_id in old:
                    del self._records[run_id]
        return Garbage(len(old), len(gone), sum(map(len, gone)))

    def _blobs(self, run_ids: Collection[str]) -> set[bytes]:
        return {blob for run_id in run_ids for blob in self._records[run_id].artifacts.values()}

    def _mine(self, run_id: str) -> _Record:
        """The record, to write to it."""
        record = self._record(run_id)
        if self._owner is not None and (record.lease is None or record.lease.owner != self._owner):
            raise rules.lease_lost(run_id, self._owner)
        return record

    def _record(self, run_id: str) -> _Record:
        if run_id not in self._records:
            raise rules.no_run(run_id)
        return self._records[run_id]


def _detached(run: RepairRun) -> RepairRun:
    return replace(run, settings=codec.plain_json(run.settings), patches=_by_rank(run.patches))


def _by_rank(patches: Sequence[RankedPatch]) -> tuple[RankedPatch, ...]:
    return tuple(sorted(patches, key=lambda patch: patch.rank))


def _copied(event: RunEvent) -> RunEvent:
    return replace(event, data=codec.plain_json(event.data))


def _merged(known: SearchNode | None, node: SearchNode) -> SearchNode:
    """What a second save may change are statistics, never the patch or the place in the tree."""
    if known is None:
        return replace(node, children=[])
    return replace(
        known,
        prior=node.prior,
        visits=node.visits,
        total_value=node.total_value,
        reward=node.reward,
        exhausted=node.exhausted,
        report=node.report,
        spent=node.spent,
    )


def _with_report(node: SearchNode, reports: Mapping[str, ValidationReport]) -> SearchNode:
    """A childless copy with the candidate's report, as far as the node had one."""
    if node.report is None:
        return replace(node, children=[])
    report = replace(reports[node.patch.digest], from_cache=node.report.from_cache)
    return replace(node, report=report, children=[])
