"""The run store on SQLite and PostgreSQL: every method is one transaction."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, func, or_, select, update
from sqlalchemy import insert as plain_insert

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
from apr.storage import codec, kept, rows, rules
from apr.storage.engine import reading, writing
from apr.storage.oracle import completed, decode_oracle, encode_oracle
from apr.storage.tables import (
    ArtifactRow,
    BlobRow,
    CandidateRow,
    EventRow,
    LeaseRow,
    NodeRow,
    OracleRow,
    OutcomeRow,
    RankedPatchRow,
    RepairRunRow,
    ReportRow,
    SubjectRow,
)
from apr.storage.upsert import insert, upsert

_NODE_UPDATES = (
    *("prior", "visits", "total_value", "reward", "exhausted", "report_from_cache"),
    *("calls", "tokens", "cost_usd"),
)
_REPORT_KEY = ("run_id", "patch_digest")
OUTCOMES_PER_CHECK = 500


class SqlRunStore:
    """Implements `apr.core.ports.RunStore` on a database whose schema is up to date.

    Methods raise BadInputError for a run that does not exist and StoreError for whatever the
    database refuses. `clock` returns an aware time and decides which leases have expired.
    Without one a server's own clock does, so that no machine's wrong clock takes runs from others.
    """

    def __init__(
        self,
        engine: Engine,
        clock: rules.Clock | None = None,
        *,
        outcome_bytes: int = kept.MAX_BYTES,
        oracle_bytes: int = kept.MAX_BYTES,
    ) -> None:
        """`outcome_bytes` and `oracle_bytes` bound what is kept for later runs."""
        self._engine = engine
        self._clock = clock or rules.utc_now
        self._asks_server = clock is None and engine.dialect.name == "postgresql"
        self._owner: str | None = None
        self._outcome_bytes = outcome_bytes
        self._oracle_bytes = oracle_bytes
        self._unchecked_outcomes = 0

    def fenced(self, owner: str) -> SqlRunStore:
        """See `RunStore.fenced`: the lease is looked at, and held, in the writing transaction."""
        view = copy(self)
        view._owner = owner
        return view

    def create_run(self, run: RepairRun) -> None:
        rules.check_new_run(run)
        subject = rows.subject_values(run)
        values = rows.run_values(run, subject["id"])
        with writing(self._engine) as connection:
            upsert(connection, SubjectRow, [subject])
            statement = insert(connection, RepairRunRow).values(values).on_conflict_do_nothing()
            if connection.execute(statement.returning(RepairRunRow.id)).first() is None:
                raise rules.run_exists(run.id)
            _replace_patches(connection, run.id, run.patches)

    def get_run(self, run_id: str) -> RepairRun:
        if not rules.is_run_id(run_id):
            raise rules.no_run(run_id)
        with reading(self._engine) as connection:
            starting = connection.execute(_ids_starting_with(run_id)).scalars()
            exact = rules.pick_run_id(run_id, starting)
            return load_runs(connection, _RUNS.where(RepairRunRow.id == exact))[0]

    def list_runs(
        self, *, limit: int = 50, offset: int = 0, status: RunStatus | None = None
    ) -> Sequence[RepairRun]:
        """The newest first; of one status, or all."""
        wanted = _RUNS if status is None else _RUNS.where(RepairRunRow.status == status.value)
        query = wanted.order_by(RepairRunRow.created_at.desc(), RepairRunRow.id.desc())
        with reading(self._engine) as connection:
            return load_runs(connection, query.limit(limit).offset(offset))

    def totals(self) -> Totals:
        """What all runs together are and have spent."""
        run = RepairRunRow
        spent = (run.candidates, run.validations, run.seconds, run.cost_usd, run.tokens, run.calls)
        by_status = select(run.status, func.count()).group_by(run.status)
        with reading(self._engine) as connection:
            runs = {RunStatus(row[0]): row[1] for row in connection.execute(by_status)}
            sums = connection.execute(select(*(func.sum(column) for column in spent))).one()
        counted, validations, seconds, cost_usd, tokens, calls = (value or 0 for value in sums)
        usage = Usage(
            int(counted), int(validations), float(seconds), float(cost_usd), int(tokens), int(calls)
        )
        return Totals(runs, usage)

    def claim(self, run_id: str, owner: str, ttl_s: float) -> bool:
        with writing(self._engine) as connection:
            _require_run(connection, run_id)
            now = self._lease_time(connection)
            expires_at = now + timedelta(seconds=ttl_s)
            values = {"run_id": run_id, "owner": owner, "expires_at": expires_at}
            statement = insert(connection, LeaseRow).values(values)
            statement = statement.on_conflict_do_update(
                index_elements=["run_id"],
                set_={"owner": owner, "expires_at": expires_at},
                where=or_(LeaseRow.expires_at <= now, LeaseRow.owner == owner),
            )
            return connection.execute(statement.returning(LeaseRow.owner)).first() is not None

    def renew(self, run_id: str, owner: str, ttl_s: float) -> None:
        statement = update(LeaseRow).where(LeaseRow.run_id == run_id, LeaseRow.owner == owner)
        with writing(self._engine) as connection:
            expires_at = self._lease_time(connection) + timedelta(seconds=ttl_s)
            statement = statement.values(expires_at=expires_at)
            if connection.execute(statement).rowcount != 1:
                raise rules.lease_lost(run_id, owner)

    def release(self, run_id: str, owner: str) -> None:
        """Give up the lease; nothing happens when it belongs to someone else."""
        statement = delete(LeaseRow).where(LeaseRow.run_id == run_id, LeaseRow.owner == owner)
        with writing(self._engine) as connection:
            connection.execute(statement)

    def _lease_time(self, connection: Connection) -> datetime:
        if not self._asks_server:
            return self._clock()
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now

    def set_status(self, run_id: str, status: RunStatus, message: str = "") -> None:
        """A final status also sets the time of the end, any other one clears it."""
        self._update_run(run_id, self._status_values(status, message))

    def change_status(
        self, run_id: str, before: Collection[RunStatus], status: RunStatus, message: str = ""
    ) -> bool:
        """See `RunStore.change_status`."""
        statement = (
            update(RepairRunRow)
            .where(RepairRunRow.id == run_id, RepairRunRow.status.in_([s.value for s in before]))
            .values(self._status_values(status, message))
        )
        with writing(self._engine) as connection:
            _require_run(connection, run_id)
            self._require_mine(connection, run_id)
            return connection.execute(statement).rowcount == 1

    def _status_values(self, status: RunStatus, message: str) -> rows.Values:
        finished_at = self._clock() if status.is_final else None
        return {"status": status.value, "message": message, "finished_at": finished_at}

    def submit(self, run_id: str, priority: int = 0) -> None:
        """See `SubmissionStore.submit`."""
        values = self._status_values(RunStatus.QUEUED, "")
        self._update_run(run_id, values | {"submitted_at": self._clock(), "priority": priority})

    def withdraw(self, run_id: str) -> None:
        """See `SubmissionStore.withdraw`."""
        self._update_run(run_id, {"submitted_at": None})

    def submission(self, run_id: str) -> Submission | None:
        """See `SubmissionStore.submission`."""
        query = select(RepairRunRow.priority).where(RepairRunRow.id == run_id, _SUBMITTED)
        with reading(self._engine) as connection:
            _require_run(connection, run_id)
            priority = connection.execute(query).scalar()
            return None if priority is None else Submission(run_id, priority)

    def reclaim(self) -> Sequence[Submission]:
        """See `SubmissionStore.reclaim`."""
        with writing(self._engine) as connection:
            statement = (
                update(RepairRunRow)
                .where(_SUBMITTED, RepairRunRow.status == RunStatus.RUNNING.value)
                .where(RepairRunRow.id.not_in(_leased(self._lease_time(connection))))
                .values(self._status_values(RunStatus.QUEUED, "its worker was lost"))
                .returning(RepairRunRow.id, RepairRunRow.priority)
            )
            return _by_urgency(connection.execute(statement))

    def waiting(self) -> Sequence[Submission]:
        """See `SubmissionStore.waiting`; a run whose owner is about to begin does not wait."""
        with reading(self._engine) as connection:
            query = (
                select(RepairRunRow.id, RepairRunRow.priority)
                .where(_SUBMITTED, RepairRunRow.status == RunStatus.QUEUED.value)
                .where(RepairRunRow.id.not_in(_leased(self._lease_time(connection))))
                .order_by(RepairRunRow.priority.desc(), RepairRunRow.submitted_at, RepairRunRow.id)
            )
            return [Submission(row.id, row.priority) for row in connection.execute(query)]

    def save_usage(self, run_id: str, usage: Usage) -> None:
        self._update_run(run_id, rows.usage_values(usage))

    def _update_run(self, run_id: str, values: rows.Values) -> None:
        with writing(self._engine) as connection:
            self._require_mine(connection, run_id)
            statement = update(RepairRunRow).where(RepairRunRow.id == run_id).values(values)
            if connection.execute(statement).rowcount != 1:
                raise rules.no_run(run_id)

    def save_patches(self, run_id: str, patches: Sequence[RankedPatch]) -> None:
        """Replaces the patches saved before."""
        with writing(self._engine) as connection:
            _require_run(connection, run_id)
            self._require_mine(connection, run_id)
            _replace_patches(connection, run_id, patches)

    def _require_mine(self, connection: Connection, run_id: str) -> None:
        """Raises LeaseLostError when a fenced store's run is someone else's; else holds on to it.

        The lease's row stays locked until the commit: nobody takes the run over in between.
        """
        if self._owner is None:
            return
        mine = select(LeaseRow.run_id).where(
            LeaseRow.run_id == run_id, LeaseRow.owner == self._owner
        )
        if connection.execute(mine.with_for_update()).first() is None:
            raise rules.lease_lost(run_id, self._owner)

    def save_nodes(self, run_id: str, nodes: Sequence[SearchNode]) -> None:
        """Insert new nodes and update the statistics and reports of known ones.

        A candidate has one report, so the last one saved for a patch digest is kept.
        """
        digests = [node.patch.digest for node in nodes]
        pairs = sorted(zip(digests, nodes, strict=True), key=lambda pair: pair[1].id)
        candidates = [rows.candidate_values(run_id, digest, n.patch) for digest, n in pairs]
        reports = {d: rows.report_values(run_id, d, n.report) for d, n in pairs if n.report}
        node_values = [rows.node_values(run_id, digest, node) for digest, node in pairs]
        with writing(self._engine) as connection:
            _require_run(connection, run_id)
            self._require_mine(connection, run_id)
            upsert(connection, CandidateRow, candidates)
            upsert(connection, ReportRow, list(reports.values()), _REPORT_UPDATES)
            upsert(connection, NodeRow, node_values, _NODE_UPDATES)

    def load_tree(self, run_id: str) -> SearchTree:
        with reading(self._engine) as connection:
            _require_run(connection, run_id)
            return rows.tree_from(run_id, connection.execute(_nodes_of(run_id)))

    def load_reports(self, run_id: str) -> Mapping[str, ValidationReport]:
        query = (
            select(ReportRow.patch_digest, ReportRow.document)
            .where(ReportRow.run_id == run_id)
            .order_by(ReportRow.patch_digest)
        )
        with reading(self._engine) as connection:
            _require_run(connection, run_id)
            found = connection.execute(query)
            return {digest: codec.decode_report(document) for digest, document in found}

    def save_artifact(self, run_id: str, name: str, content: bytes) -> None:
        """Replaces an artifact of that name; equal contents are stored once."""
        digest = hashlib.sha256(content).hexdigest()
        blob = {"sha256": digest, "size": len(content), "compressed": zlib.compress(content)}
        artifact = {
            "run_id": run_id,
            "name": name,
            "sha256": digest,
            "created_at": self._clock(),
        }
        with writing(self._engine) as connection:
            _require_run(connection, run_id)
            self._require_mine(connection, run_id)
            upsert(connection, BlobRow, [blob])
            upsert(connection, ArtifactRow, [artifact], ("sha256", "created_at"))

    def load_artifact(self, run_id: str, name: str) -> bytes | None:
        query = (
            select(BlobRow.compressed)
            .join(ArtifactRow, ArtifactRow.sha256 == BlobRow.sha256)
            .where(ArtifactRow.run_id == run_id, ArtifactRow.name == name)
        )
        with reading(self._engine) as connection:
            _require_run(connection, run_id)
            compressed = connection.execute(query).scalar()
            return None if compressed is None else zlib.decompress(compressed)

    def load_outcomes(self, keys: Sequence[str]) -> Mapping[str, ValidationReport]:
        """The verdicts that are known; they count as used now."""
        found = kept.load_and_touch(self._engine, OutcomeRow, keys, self._clock())
        return {key: kept.decode_outcome(document) for key, document in found.items()}

    def save_outcomes(self, reports: Mapping[str, ValidationReport]) -> None:
        """Keep verdicts; now and then the bound on all of them is enforced."""
        with writing(self._engine) as connection:
            documents = {key: kept.encode_outcome(report) for key, report in reports.items()}
            kept.save(connection, OutcomeRow, documents, self._clock())
            self._unchecked_outcomes -= len(reports)
            if self._unchecked_outcomes <= 0:
                kept.evict(connection, OutcomeRow, self._outcome_bytes)
                self._unchecked_outcomes = OUTCOMES_PER_CHECK

    def load_oracle(self, key: str) -> Oracle | None:
        """The oracle that is known; it counts as used now."""
        document = kept.load_and_touch(self._engine, OracleRow, [key], self._clock()).get(key)
        return None if document is None else decode_oracle(document)

    def keep_oracle(self, key: str, oracle: Oracle) -> Oracle:
        """What is kept under the key: the first one, with a staging as soon as one is known."""
        now = self._clock()
        with writing(self._engine) as connection:
            document = kept.first(connection, OracleRow, key, encode_oracle(oracle), now)
            known = decode_oracle(document)
            complete = completed(known, oracle)
            if complete != known:
                kept.save(connection, OracleRow, {key: encode_oracle(complete)}, now)
            kept.evict(connection, OracleRow, self._oracle_bytes)
        return complete

    def append_event(self, run_id: str, kind: str, data: Mapping[str, Any]) -> RunEvent:
        """The event with its number: 1, 2, 3… without a gap, in the order of commits.

        Raises:
            TypeError, ValueError: when `data` is no JSON.
        """
        plain = codec.plain_json(data)
        # The run's row stays locked until the commit, so numbers appear in order.
        count = (
            update(RepairRunRow)
            .where(RepairRunRow.id == run_id)
            .values(last_event=RepairRunRow.last_event + 1)
            .returning(RepairRunRow.last_event)
        )
        with writing(self._engine) as connection:
            self._require_mine(connection, run_id)
            sequence = connection.execute(count).scalar()
            if sequence is None:
                raise rules.no_run(run_id)
            event = RunEvent(sequence, self._clock(), kind, plain)
            values = {"sequence": sequence, "at": event.at, "kind": kind, "data": plain}
            connection.execute(plain_insert(EventRow).values(run_id=run_id, **values))
        return event

    def events(self, run_id: str, after: int = 0) -> Iterator[RunEvent]:
        """The events numbered above `after`, in order, as of the call."""
        query = (
            select(EventRow.sequence, EventRow.at, EventRow.kind, EventRow.data)
            .where(EventRow.run_id == run_id, EventRow.sequence > after)
            .order_by(EventRow.sequence)
        )
        with reading(self._engine) as connection:
            _require_run(connection, run_id)
            return iter([rows.event_from(row) for row in connection.execute(query)])

    def delete_runs(self, ended_before: datetime, *, only_count: bool = False) -> Garbage:
        """See `RunStore.delete_runs`."""
        old = select(RepairRunRow.id).where(RepairRunRow.finished_at < ended_before)
        with writing(self._engine) as connection:
            ids = connection.execute(old).scalars().all()
            kept_blobs = select(ArtifactRow.sha256).where(ArtifactRow.run_id.not_in(ids))
            unused = BlobRow.sha256.not_in(kept_blobs)
            query = select(func.count(), func.coalesce(func.sum(BlobRow.size), 0)).where(unused)
            count, size = connection.execute(query).one()
            if not only_count:
                connection.execute(delete(RepairRunRow).where(RepairRunRow.id.in_(ids)))
                connection.execute(delete(BlobRow).where(unused))
                known = select(RepairRunRow.subject_id)
                connection.execute(delete(SubjectRow).where(SubjectRow.id.not_in(known)))
        return Garbage(len(ids), int(count), int(size))

    def unpublished_events(self, limit: int = 100) -> Sequence[tuple[str, RunEvent]]:
        """Events of all runs that no relay has passed on yet, with their run's id, oldest first."""
        query = (
            select(EventRow.run_id, EventRow.sequence, EventRow.at, EventRow.kind, EventRow.data)
            .where(EventRow.published_at.is_(None))
            .order_by(EventRow.at, EventRow.run_id, EventRow.sequence)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [(row.run_id, rows.event_from(row)) for row in connection.execute(query)]

    def mark_published(self, run_id: str, up_to: int) -> None:
        """The run's events numbered `up_to` and below were passed on."""
        statement = (
            update(EventRow)
            .where(
                EventRow.run_id == run_id,
                EventRow.sequence <= up_to,
                EventRow.published_at.is_(None),
            )
            .values(published_at=self._clock())
        )
        with writing(self._engine) as connection:
            connection.execute(statement)


_SUBMITTED = RepairRunRow.submitted_at.is_not(None)

_REPORT_UPDATES = tuple(c.name for c in ReportRow.__table__.columns if c.name not in _REPORT_KEY)

_RUNS = select(*RepairRunRow.__table__.columns, SubjectRow.bug).join(
    SubjectRow, SubjectRow.id == RepairRunRow.subject_id
)


def run_query() -> Select[Any]:
    """All runs, with the documents of their bugs."""
    return _RUNS


def _leased(now: datetime) -> Select[str]:
    return select(LeaseRow.run_id).where(LeaseRow.expires_at > now)


def _by_urgency(found: Iterable[Any]) -> list[Submission]:
    made = [Submission(row.id, row.priority) for row in found]
    return sorted(made, key=lambda submission: (-submission.priority, submission.run_id))


def _require_run(connection: Connection, run_id: str) -> None:
    if not rules.is_run_id(run_id):
        raise rules.no_run(run_id)
    if connection.execute(select(RepairRunRow.id).where(RepairRunRow.id == run_id)).first() is None:
        raise rules.no_run(run_id)


def _ids_starting_with(prefix: str) -> Select[str]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    query = select(RepairRunRow.id).where(RepairRunRow.id >= prefix, RepairRunRow.id < end)
    return query.order_by(RepairRunRow.id).limit(2)


def load_runs(connection: Connection, query: Select[Any]) -> list[RepairRun]:
    """The runs of a query like `run_query`, with their patches."""
    found = connection.execute(query).all()
    patches: dict[str, list[RankedPatch]] = {row.id: [] for row in found}
    ranked = (
        select(*RankedPatchRow.__table__.columns)
        .where(RankedPatchRow.run_id.in_(patches))
        .order_by(RankedPatchRow.run_id, RankedPatchRow.rank)
    )
    for row in connection.execute(ranked):
        patches[row.run_id].append(rows.ranked_patch_from(row))
    return [rows.run_from(row, patches[row.id]) for row in found]


def _replace_patches(connection: Connection, run_id: str, patches: Sequence[RankedPatch]) -> None:
    connection.execute(delete(RankedPatchRow).where(RankedPatchRow.run_id == run_id))
    if patches:
        values = [rows.ranked_patch_values(run_id, patch) for patch in patches]
        connection.execute(plain_insert(RankedPatchRow), values)


def _nodes_of(run_id: str) -> Select[Any]:
    same = (CandidateRow.run_id == NodeRow.run_id) & (
        CandidateRow.patch_digest == NodeRow.patch_digest
    )
    judged = (ReportRow.run_id == NodeRow.run_id) & (ReportRow.patch_digest == NodeRow.patch_digest)
    return (
        select(*NodeRow.__table__.columns, CandidateRow.patch, ReportRow.document)
        .join(CandidateRow, same)
        .outerjoin(ReportRow, judged)
        .where(NodeRow.run_id == run_id)
        .order_by(NodeRow.node_id)
    )
