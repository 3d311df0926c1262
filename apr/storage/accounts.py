"""Who may use the web server: tokens, sessions, and the log of what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, Row, Select, delete, select, update
from sqlalchemy import insert as plain_insert

from apr.storage import rules
from apr.storage.engine import reading, writing
from apr.storage.web_tables import AuditRow, SessionRow, TokenRow

USED_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a token was used last."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an API token; `digest` is that of its secret."""

    id: str
    user: str
    name: str
    digest: str
    scope: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What somebody did; `address` is where they came from."""

    at: datetime
    user: str
    address: str
    action: str
    target: str = ""
    detail: str = ""


class Accounts:
    """Tokens, sessions and the audit log of one database; `clock` returns an aware time."""

    def __init__(self, engine: Engine, clock: rules.Clock = rules.utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def now(self) -> datetime:
        """The time that decides what has expired."""
        return self._clock()

    def add_token(self, token: Token) -> None:
        """Keep a new token."""
        values = {name: getattr(token, name) for name in Token.__slots__}
        with writing(self._engine) as connection:
            connection.execute(plain_insert(TokenRow).values(values))

    def tokens(self, user: str | None = None) -> Sequence[Token]:
        """The tokens of a user, or all, the newest first."""
        query = select(*TokenRow.__table__.columns).order_by(
            TokenRow.created_at.desc(), TokenRow.id
        )
        if user is not None:
            query = query.where(TokenRow.user == user)
        with reading(self._engine) as connection:
            return [_token_from(row) for row in connection.execute(query)]

    def find_token(self, token_id: str) -> Token | None:
        """The token of that id if it is valid, which counts as used now."""
        return self._valid(_TOKENS.where(TokenRow.id == token_id))

    def revoke_token(self, token_id: str, user: str | None = None) -> bool:
        """Revoke a token, of a user if one is named, with its sessions; False if there is none."""
        mine = TokenRow.id == token_id
        if user is not None:
            mine &= TokenRow.user == user
        unrevoked = update(TokenRow).where(mine, TokenRow.revoked_at.is_(None))
        with writing(self._engine) as connection:
            if connection.execute(unrevoked.values(revoked_at=self._clock())).rowcount != 1:
                return False
            connection.execute(delete(SessionRow).where(SessionRow.token_id == token_id))
            return True

    def open_session(self, digest: str, token_id: str, hours: float) -> None:
        """Keep a session; those that have ended are forgotten."""
        now = self._clock()
        values = {
            "digest": digest,
            "token_id": token_id,
            "expires_at": now + timedelta(hours=hours),
        }
        with writing(self._engine) as connection:
            connection.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            connection.execute(plain_insert(SessionRow).values(values))

    def find_session(self, digest: str) -> Token | None:
        """The valid token that a session which goes on was opened with."""
        alive = (SessionRow.digest == digest) & (SessionRow.expires_at > self._clock())
        return self._valid(
            _TOKENS.join(SessionRow, SessionRow.token_id == TokenRow.id).where(alive)
        )

    def close_session(self, digest: str) -> None:
        """End a session."""
        with writing(self._engine) as connection:
            connection.execute(delete(SessionRow).where(SessionRow.digest == digest))

    def _valid(self, query: Select[tuple[object, ...]]) -> Token | None:
        now = self._clock()
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        token = None if row is None else _token_from(row)
        if token is None or not token.is_valid(now):
            return None
        if token.used_at is None or now - token.used_at > USED_EVERY:
            with writing(self._engine) as connection:
                used = update(TokenRow).where(TokenRow.id == token.id).values(used_at=now)
                connection.execute(used)
        return token

    def log(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log."""
        values = {name: getattr(entry, name) for name in AuditEntry.__slots__}
        with writing(self._engine) as connection:
            connection.execute(plain_insert(AuditRow).values(values))

    def audit(
        self, limit: int = 100, before: int | None = None
    ) -> Sequence[tuple[int, AuditEntry]]:
        """Entries with their numbers, the newest first, from below number `before`."""
        query = select(*AuditRow.__table__.columns).order_by(AuditRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.id < before)
        with reading(self._engine) as connection:
            return [(row.id, _entry_from(row)) for row in connection.execute(query)]


_TOKENS = select(*TokenRow.__table__.columns)


def _token_from(row: Row[tuple[object, ...]]) -> Token:
    return Token(**{name: getattr(row, name) for name in Token.__slots__})


def _entry_from(row: Row[tuple[object, ...]]) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.__slots__})
