"""Reads of the web server: lists of runs by owner, text and status, and trees without reports.

A dashboard shows thousands of nodes; their reports stay packed, since the columns say enough.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, Select, func, or_, select
from sqlalchemy import insert as plain_insert

from apr.core.patch import Patch
from apr.core.report import ValidationReport, Verdict
from apr.core.run import RepairRun, RunStatus
from apr.settings import RunSettings
from apr.storage import codec, kept
from apr.storage.engine import reading, writing
from apr.storage.exchanges import Exchange, decode_exchange, exchange_key
from apr.storage.store import load_runs, run_query
from apr.storage.tables import (
    CandidateRow,
    NodeRow,
    RepairRunRow,
    ReplyRow,
    ReportRow,
    SubjectRow,
)
from apr.storage.web_tables import RunOwnerRow


class Order(StrEnum):
    """By what a list of runs is sorted; the newest of equals first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    STATUS = "status"
    CANDIDATES = "candidates"
    SECONDS = "seconds"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs are wanted; None and empty mean: any. `owner` None: those of everybody."""

    owner: str | None = None
    statuses: tuple[RunStatus, ...] = ()
    text: str = ""
    order: Order = Order.NEWEST
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some of the runs that are wanted, and how many there are in all."""

    runs: Sequence[RepairRun]
    total: int


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """A node of a search tree, without its patch and the outcomes of single tests."""

    id: int
    parent: int | None
    depth: int
    origin: str
    prior: float
    visits: int
    total_value: float
    reward: float
    exhausted: bool
    calls: int
    tokens: int
    cost_usd: float
    verdict: str | None
    stage: str | None
    triggers_passed: int | None
    regressions_failed: int | None
    duration_s: float | None
    patch_digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far a run has come: its status and the number of its last event."""

    status: RunStatus
    last_event: int


class RunCatalog:
    """What readers of many runs ask; nothing here changes a run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set_owner(self, run_id: str, user: str) -> None:
        """Say whose run it is."""
        with writing(self._engine) as connection:
            connection.execute(plain_insert(RunOwnerRow).values(run_id=run_id, user=user))

    def owner(self, run_id: str) -> str | None:
        """Whose run it is; None: nobody's."""
        query = select(RunOwnerRow.user).where(RunOwnerRow.run_id == run_id)
        with reading(self._engine) as connection:
            found: str | None = connection.execute(query).scalar()
            return found

    def find_run(self, run_id: str, owner: str | None = None) -> RepairRun | None:
        """The run of exactly that id, if it is the owner's; `owner` None: anybody's."""
        query = _owned(run_query(), owner).where(RepairRunRow.id == run_id)
        with reading(self._engine) as connection:
            found = load_runs(connection, query)
        return found[0] if found else None

    def list_runs(self, wanted: RunQuery) -> RunPage:
        """A page of runs."""
        query = _matching(run_query(), wanted)
        counted = _matching(select(func.count()).select_from(RepairRunRow).join(SubjectRow), wanted)
        newest = (RepairRunRow.created_at.desc(), RepairRunRow.id.desc())
        ordered = query.order_by(*_ORDERS[wanted.order], *newest)
        with reading(self._engine) as connection:
            total: int = connection.execute(counted).scalar_one()
            page = ordered.limit(wanted.limit).offset(wanted.offset)
            return RunPage(load_runs(connection, page), total)

    def count_by_status(self, owner: str | None = None) -> Mapping[RunStatus, int]:
        """How many runs of the owner, None: of everybody, have each status."""
        run = RepairRunRow
        counted: Any = select(run.status, func.count())
        query = _owned(counted, owner).group_by(run.status)
        with reading(self._engine) as connection:
            return {RunStatus(row[0]): row[1] for row in connection.execute(query)}

    def heads(self, run_ids: Sequence[str]) -> Mapping[str, Head]:
        """How far runs have come; those that are gone are left out."""
        run = RepairRunRow
        query = select(run.id, run.status, run.last_event).where(run.id.in_(run_ids))
        with reading(self._engine) as connection:
            found = connection.execute(query)
            return {row.id: Head(RunStatus(row.status), row.last_event) for row in found}

    def count_nodes(self, run_id: str) -> int:
        """How many nodes the tree of a run has."""
        query = select(func.count()).select_from(NodeRow).where(NodeRow.run_id == run_id)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def nodes(
        self, run_id: str, *, after: int = -1, limit: int | None = None
    ) -> Sequence[NodeSummary]:
        """Nodes in the order of their ids, from above `after`."""
        query = _SUMMARIES.where(NodeRow.run_id == run_id, NodeRow.node_id > after)
        query = query.order_by(NodeRow.node_id).limit(limit)
        with reading(self._engine) as connection:
            return [NodeSummary(*row) for row in connection.execute(query).all()]

    def lineage(self, run_id: str, node_id: int) -> Sequence[NodeSummary]:
        """The nodes from the root to this one, which is the last."""
        node = NodeRow
        own = select(node.node_id, node.parent_id).where(node.run_id == run_id)
        found = own.where(node.node_id == node_id).cte("lineage", recursive=True)
        found = found.union_all(own.where(node.node_id == found.c.parent_id))
        query = _SUMMARIES.where(node.run_id == run_id, node.node_id.in_(select(found.c.node_id)))
        with reading(self._engine) as connection:
            return [NodeSummary(*row) for row in connection.execute(query.order_by(node.node_id))]

    def children(self, run_id: str, node_id: int) -> Sequence[NodeSummary]:
        """The children of a node, the highest reward first, the earliest among equals."""
        query = _SUMMARIES.where(NodeRow.run_id == run_id, NodeRow.parent_id == node_id)
        query = query.order_by(NodeRow.reward.desc(), NodeRow.node_id)
        with reading(self._engine) as connection:
            return [NodeSummary(*row) for row in connection.execute(query).all()]

    def first_plausible(self, run_id: str) -> int | None:
        """The first node whose patch is plausible."""
        plausible = ReportRow.verdict == Verdict.PLAUSIBLE.value
        query = _SUMMARIES.with_only_columns(func.min(NodeRow.node_id), maintain_column_froms=True)
        with reading(self._engine) as connection:
            found: int | None = connection.execute(
                query.where(NodeRow.run_id == run_id, plausible)
            ).scalar()
            return found

    def patches(self, run_id: str, node_ids: Collection[int]) -> Mapping[int, Patch]:
        """The patches of these nodes."""
        query = select(NodeRow.node_id, CandidateRow.patch).join(CandidateRow, _SAME_CANDIDATE)
        query = query.where(NodeRow.run_id == run_id, NodeRow.node_id.in_(node_ids))
        with reading(self._engine) as connection:
            return {row[0]: codec.decode_patch(row[1]) for row in connection.execute(query)}

    def best_nodes(self, run_id: str, limit: int, offset: int = 0) -> Sequence[NodeSummary]:
        """Candidates, the root left out, the highest reward first, the earliest among equals."""
        query = _SUMMARIES.where(NodeRow.run_id == run_id, NodeRow.parent_id.is_not(None))
        query = query.order_by(NodeRow.reward.desc(), NodeRow.node_id).limit(limit).offset(offset)
        with reading(self._engine) as connection:
            return [NodeSummary(*row) for row in connection.execute(query).all()]

    def node(
        self, run_id: str, node_id: int
    ) -> tuple[NodeSummary, Patch, ValidationReport | None] | None:
        """One node with all that is known of it."""
        here = (NodeRow.run_id == run_id) & (NodeRow.node_id == node_id)
        extra = _SUMMARIES.add_columns(CandidateRow.patch, ReportRow.document)
        query = extra.join(CandidateRow, _SAME_CANDIDATE).where(here)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        *summary, patch, document = row
        report = None if document is None else codec.decode_report(document)
        return NodeSummary(*summary), codec.decode_patch(patch), report

    def exchange(self, run: RepairRun, patch_digest: str) -> Exchange | None:
        """What a model was asked and answered for a patch, as long as that is kept."""
        model = RunSettings.model_validate(run.settings).llm
        if model is None:
            return None
        key = exchange_key(run.bug, run.seed, model, patch_digest)
        with reading(self._engine) as connection:
            found = kept.load(connection, ReplyRow, [key])
        return decode_exchange(found[key]) if key in found else None


_SAME_REPORT = (ReportRow.run_id == NodeRow.run_id) & (
    ReportRow.patch_digest == NodeRow.patch_digest
)
_SAME_CANDIDATE = (CandidateRow.run_id == NodeRow.run_id) & (
    CandidateRow.patch_digest == NodeRow.patch_digest
)
_SUMMARIES: Any = (
    select(
        NodeRow.node_id,
        NodeRow.parent_id,
        NodeRow.depth,
        NodeRow.origin,
        NodeRow.prior,
        NodeRow.visits,
        NodeRow.total_value,
        NodeRow.reward,
        NodeRow.exhausted,
        NodeRow.calls,
        NodeRow.tokens,
        NodeRow.cost_usd,
        ReportRow.verdict,
        ReportRow.stage,
        ReportRow.triggers_passed,
        ReportRow.regressions_failed,
        ReportRow.duration_s,
        NodeRow.patch_digest,
    )
    .select_from(NodeRow)
    .outerjoin(ReportRow, _SAME_REPORT & NodeRow.report_from_cache.is_not(None))
)
_ORDERS: Mapping[Order, tuple[Any, ...]] = {
    Order.NEWEST: (),
    Order.OLDEST: (RepairRunRow.created_at, RepairRunRow.id),
    Order.NAME: (SubjectRow.name,),
    Order.STATUS: (RepairRunRow.status,),
    Order.CANDIDATES: (RepairRunRow.candidates.desc(),),
    Order.SECONDS: (RepairRunRow.seconds.desc(),),
    Order.COST: (RepairRunRow.cost_usd.desc(),),
}


def _matching(query: Select[Any], wanted: RunQuery) -> Select[Any]:
    query = _owned(query, wanted.owner)
    if wanted.statuses:
        query = query.where(RepairRunRow.status.in_([status.value for status in wanted.statuses]))
    if wanted.text:
        columns = (RepairRunRow.id, SubjectRow.name, SubjectRow.path, RepairRunRow.message)
        query = query.where(or_(*(c.icontains(wanted.text, autoescape=True) for c in columns)))
    return query


def _owned(query: Select[Any], owner: str | None) -> Select[Any]:
    if owner is None:
        return query
    mine = select(RunOwnerRow.run_id).where(RunOwnerRow.user == owner)
    return query.where(RepairRunRow.id.in_(mine))
