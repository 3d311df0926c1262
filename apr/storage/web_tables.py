"""The tables of the web server: who may do what, whose runs are whose, who was told what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from apr.storage.columns import ExactText, UtcDateTime
from apr.storage.tables import Base, Digest, Word, run_key

User = String(64)
Key = String(255)


class TokenRow(Base):
    """An API token; `digest` is all that is kept of its secret."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(Word, primary_key=True)
    user: Mapped[str] = mapped_column(User)
    name: Mapped[str] = mapped_column(ExactText)
    digest: Mapped[str] = mapped_column(Digest)
    scope: Mapped[str] = mapped_column(Word)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """A browser that logged in with a token; it ends with the token."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "expires_at"), Index(None, "token_id"))

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    token_id: Mapped[str] = mapped_column(Word, ForeignKey("tokens.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RunOwnerRow(Base):
    """Whose run it is; runs of the command line are nobody's."""

    __tablename__ = "run_owners"
    __table_args__ = (Index(None, "user"),)

    run_id: Mapped[str] = run_key()
    user: Mapped[str] = mapped_column(User)


class SourceRow(Base):
    """A project that was handed in; `folder` is where it lies."""

    __tablename__ = "sources"
    __table_args__ = (Index(None, "user", "created_at"),)

    id: Mapped[str] = mapped_column(Word, primary_key=True)
    user: Mapped[str] = mapped_column(User)
    kind: Mapped[str] = mapped_column(Word)
    origin: Mapped[str] = mapped_column(ExactText)
    folder: Mapped[str] = mapped_column(ExactText)
    commit: Mapped[str | None] = mapped_column(Digest)
    files: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WebhookRow(Base):
    """Whom to tell of which events of a user's runs."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "user"),)

    id: Mapped[str] = mapped_column(Word, primary_key=True)
    user: Mapped[str] = mapped_column(User)
    url: Mapped[str] = mapped_column(ExactText)
    secret: Mapped[str] = mapped_column(ExactText)
    kinds: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeliveryRow(Base):
    """One event for one webhook; `due_at` is null once it was taken or given up."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "due_at"), Index(None, "run_id"))

    webhook_id: Mapped[str] = mapped_column(
        Word, ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True
    )
    run_id: Mapped[str] = run_key()
    sequence: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(ExactText)
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    said: Mapped[str] = mapped_column(ExactText)


class AuditRow(Base):
    """What somebody did, for good."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "at"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    user: Mapped[str] = mapped_column(User)
    address: Mapped[str] = mapped_column(ExactText)
    action: Mapped[str] = mapped_column(Word)
    target: Mapped[str] = mapped_column(ExactText)
    detail: Mapped[str] = mapped_column(ExactText)


class ReplayRow(Base):
    """The answer to a request with an idempotency key; null `status`: it is being answered."""

    __tablename__ = "replays"
    __table_args__ = (Index(None, "created_at"),)

    user: Mapped[str] = mapped_column(User, primary_key=True)
    key: Mapped[str] = mapped_column(Key, primary_key=True)
    request: Mapped[str] = mapped_column(Digest)
    status: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
