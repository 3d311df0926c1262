"""The tables: one row class per kind of fact, the same on SQLite and PostgreSQL.

A candidate is a patch of a run, known by its digest; nodes of the search tree point at
candidates, and a candidate has at most one report. Reports keep a few columns for filtering
beside the packed document, so that lists never unpack it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from apr.storage.columns import ExactText, PackedJson, UtcDateTime
from apr.storage.rules import RUN_ID_LENGTH

HEAD_REVISION = "0007"
"""The Alembic revision these tables correspond to."""

# Byte order on PostgreSQL too, whatever the cluster's locale: prefixes become index ranges.
RunId = String(RUN_ID_LENGTH).with_variant(String(RUN_ID_LENGTH, collation="C"), "postgresql")
Digest = String(64)
Word = String(32)


class Base(DeclarativeBase):
    """Names every constraint, because batch migrations must be able to drop it by name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def run_key() -> Mapped[str]:
    return mapped_column(RunId, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


def _to_candidate() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["run_id", "patch_digest"],
        ["candidates.run_id", "candidates.patch_digest"],
        ondelete="CASCADE",
    )


class SubjectRow(Base):
    """A bug, once for all its runs; the id is the SHA-256 of the encoded bug."""

    __tablename__ = "subjects"

    id: Mapped[str] = mapped_column(Digest, primary_key=True)
    name: Mapped[str] = mapped_column(ExactText)
    path: Mapped[str] = mapped_column(ExactText)
    base_commit: Mapped[str | None] = mapped_column(ExactText)
    bug: Mapped[Any] = mapped_column(JSON)


class RepairRunRow(Base):
    """A run; `last_event` counts its events, so that their numbers have no gap.

    `submitted_at` says since when a run belongs to the queue; null: to the process that began it.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "status", "created_at"),
        Index(None, "subject_id", "created_at"),
        Index(None, "submitted_at"),
    )

    id: Mapped[str] = mapped_column(RunId, primary_key=True)
    subject_id: Mapped[str] = mapped_column(Digest, ForeignKey("subjects.id", ondelete="CASCADE"))
    settings: Mapped[Any] = mapped_column(JSON)
    seed: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Word)
    message: Mapped[str] = mapped_column(ExactText)
    budget: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    candidates: Mapped[int] = mapped_column(BigInteger)
    validations: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Double)
    cost_usd: Mapped[float] = mapped_column(Double)
    tokens: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int] = mapped_column(BigInteger)
    last_event: Mapped[int] = mapped_column(Integer)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    priority: Mapped[int] = mapped_column(Integer, server_default="0")


class CandidateRow(Base):
    """A distinct patch of a run."""

    __tablename__ = "candidates"

    run_id: Mapped[str] = run_key()
    patch_digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    patch: Mapped[Any] = mapped_column(JSON)


class ReportRow(Base):
    """The verdict on a candidate, with every test's outcome in the packed document."""

    __tablename__ = "reports"
    __table_args__ = (_to_candidate(), Index(None, "run_id", "verdict"))

    run_id: Mapped[str] = mapped_column(RunId, primary_key=True)
    patch_digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    verdict: Mapped[str] = mapped_column(Word)
    stage: Mapped[str] = mapped_column(Word)
    triggers_passed: Mapped[int] = mapped_column(Integer)
    regressions_failed: Mapped[int] = mapped_column(Integer)
    progress: Mapped[float] = mapped_column(Double)
    duration_s: Mapped[float] = mapped_column(Double)
    document: Mapped[Any] = mapped_column(PackedJson)


class NodeRow(Base):
    """A node of the search tree.

    `report_from_cache` is null while the node has no report; whether a verdict was taken from
    the cache is a fact about the node, the rest of the report one about the candidate.
    """

    __tablename__ = "nodes"
    __table_args__ = (
        _to_candidate(),
        Index(None, "run_id", "patch_digest"),
        Index(None, "run_id", "parent_id"),
    )

    run_id: Mapped[str] = mapped_column(RunId, primary_key=True)
    node_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    parent_id: Mapped[int | None] = mapped_column(Integer)
    patch_digest: Mapped[str] = mapped_column(Digest)
    depth: Mapped[int] = mapped_column(Integer)
    prior: Mapped[float] = mapped_column(Double)
    origin: Mapped[str] = mapped_column(ExactText)
    visits: Mapped[int] = mapped_column(Integer)
    total_value: Mapped[float] = mapped_column(Double)
    reward: Mapped[float] = mapped_column(Double)
    exhausted: Mapped[bool]
    report_from_cache: Mapped[bool | None]
    calls: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cost_usd: Mapped[float] = mapped_column(Double, server_default="0")


class RankedPatchRow(Base):
    """A confirmed plausible patch as shown to the user."""

    __tablename__ = "ranked_patches"

    run_id: Mapped[str] = run_key()
    rank: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    node_id: Mapped[int] = mapped_column(Integer)
    diff: Mapped[str] = mapped_column(ExactText)
    origin: Mapped[str] = mapped_column(ExactText)
    label: Mapped[str] = mapped_column(Word)


class EventRow(Base):
    """One fact about a run, and an outbox entry until `published_at` is set."""

    __tablename__ = "events"
    __table_args__ = (
        Index(
            "ix_events_unpublished",
            "at",
            "run_id",
            "sequence",
            sqlite_where=text("published_at IS NULL"),
            postgresql_where=text("published_at IS NULL"),
        ),
    )

    run_id: Mapped[str] = run_key()
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(ExactText)
    data: Mapped[Any] = mapped_column(JSON)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BlobRow(Base):
    """Content stored once for every artifact that has it; compressed with zlib."""

    __tablename__ = "blobs"

    sha256: Mapped[str] = mapped_column(Digest, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    compressed: Mapped[bytes] = mapped_column(LargeBinary)


class ArtifactRow(Base):
    """A named file of a run: a log, a report."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "sha256"),)

    run_id: Mapped[str] = run_key()
    name: Mapped[str] = mapped_column(ExactText, primary_key=True)
    sha256: Mapped[str] = mapped_column(Digest, ForeignKey("blobs.sha256", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LeaseRow(Base):
    """Who searches a run, and until when unless renewed."""

    __tablename__ = "leases"

    run_id: Mapped[str] = run_key()
    owner: Mapped[str] = mapped_column(ExactText)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OutcomeRow(Base):
    """A verdict that any run may reuse; the key says all that it depends on.

    `document` is compressed JSON of `size` bytes; those unused for longest go first.
    """

    __tablename__ = "outcomes"
    __table_args__ = (Index(None, "used_at", "size"),)

    key: Mapped[str] = mapped_column(Digest, primary_key=True)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    size: Mapped[int] = mapped_column(Integer)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class OracleRow(Base):
    """What was measured of a subject, for any run of it; the key says all that it depends on.

    `document` is compressed JSON of `size` bytes; those unused for longest go first.
    """

    __tablename__ = "oracles"
    __table_args__ = (Index(None, "used_at", "size"),)

    key: Mapped[str] = mapped_column(Digest, primary_key=True)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    size: Mapped[int] = mapped_column(Integer)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class ReplyRow(Base):
    """What a language model answered; the key says to which question.

    `document` is compressed JSON of `size` bytes; those unused for longest go first.
    """

    __tablename__ = "replies"
    __table_args__ = (Index(None, "used_at", "size"),)

    key: Mapped[str] = mapped_column(Digest, primary_key=True)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    size: Mapped[int] = mapped_column(Integer)
    document: Mapped[bytes] = mapped_column(LargeBinary)
