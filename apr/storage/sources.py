"""Projects that were handed in to the web server, and the replies that must not be given twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select, update
from sqlalchemy import insert as plain_insert

from apr.storage import rules
from apr.storage.engine import reading, writing
from apr.storage.tables import RepairRunRow, SubjectRow
from apr.storage.upsert import insert
from apr.storage.web_tables import ReplayRow, SourceRow

REPLAY_FOR = timedelta(hours=24)
ANSWERED_WITHIN = timedelta(minutes=15)
"""A request that takes longer was lost with its server."""


@dataclass(frozen=True, slots=True)
class Source:
    """A project in a folder of its own; `origin` says where it came from."""

    id: str
    user: str
    kind: str
    origin: str
    folder: str
    commit: str | None
    files: int
    size: int
    created_at: datetime


class Sources:
    """The projects of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, source: Source) -> None:
        """Keep a project."""
        values = {name: getattr(source, name) for name in Source.__slots__}
        with writing(self._engine) as connection:
            connection.execute(plain_insert(SourceRow).values(values))

    def find(self, source_id: str, user: str | None = None) -> Source | None:
        """The project of that id; of a user, if one is named."""
        found = [one for one in self.of(user) if one.id == source_id]
        return found[0] if found else None

    def of(self, user: str | None = None) -> Sequence[Source]:
        """Projects of a user, or all, the newest first."""
        query = select(*SourceRow.__table__.columns).order_by(
            SourceRow.created_at.desc(), SourceRow.id
        )
        if user is not None:
            query = query.where(SourceRow.user == user)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings()
            return [Source(**row) for row in found]

    def is_needed(self, source: Source) -> bool:
        """Whether a run is about the project."""
        known = select(RepairRunRow.id).join(SubjectRow, SubjectRow.id == RepairRunRow.subject_id)
        below = SubjectRow.path.startswith(source.folder, autoescape=True)
        with reading(self._engine) as connection:
            return connection.execute(known.where(below).limit(1)).first() is not None

    def remove(self, source_id: str) -> None:
        """Forget a project; its folder is the caller's business."""
        with writing(self._engine) as connection:
            connection.execute(delete(SourceRow).where(SourceRow.id == source_id))


@dataclass(frozen=True, slots=True)
class Replay:
    """What was answered to a request; `status` None: it is still being answered."""

    request: str
    status: int | None
    body: bytes


class Replays:
    """Answers by user and idempotency key, kept for a day; `clock` returns an aware time."""

    def __init__(self, engine: Engine, clock: rules.Clock = rules.utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def begin(self, user: str, key: str, request: str) -> Replay | None:
        """Take the key for a request whose digest is given; else what it was taken for before."""
        now = self._clock()
        values = {"user": user, "key": key, "request": request, "body": b"", "created_at": now}
        mine = (ReplayRow.user == user) & (ReplayRow.key == key)
        with writing(self._engine) as connection:
            lost = ReplayRow.status.is_(None) & (ReplayRow.created_at < now - ANSWERED_WITHIN)
            old = lost | (ReplayRow.created_at < now - REPLAY_FOR)
            connection.execute(delete(ReplayRow).where(old))
            taken = insert(connection, ReplayRow).values(values).on_conflict_do_nothing()
            if connection.execute(taken.returning(ReplayRow.key)).first() is not None:
                return None
            known = select(ReplayRow.request, ReplayRow.status, ReplayRow.body).where(mine)
            return Replay(*connection.execute(known).one())

    def finish(self, user: str, key: str, status: int, body: bytes) -> None:
        """Keep the answer."""
        mine = (ReplayRow.user == user) & (ReplayRow.key == key)
        with writing(self._engine) as connection:
            connection.execute(update(ReplayRow).where(mine).values(status=status, body=body))

    def abandon(self, user: str, key: str) -> None:
        """Free a key whose request was refused."""
        mine = (ReplayRow.user == user) & (ReplayRow.key == key)
        with writing(self._engine) as connection:
            connection.execute(delete(ReplayRow).where(mine))
