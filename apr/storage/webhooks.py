"""Who is told of which events, and what became of telling them: an outbox of deliveries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, delete, func, select, update
from sqlalchemy import insert as plain_insert

from apr.core.run import RunEvent
from apr.storage import rules
from apr.storage.engine import reading, writing
from apr.storage.upsert import upsert
from apr.storage.web_tables import DeliveryRow, RunOwnerRow, WebhookRow

ATTEMPTS = 8
FIRST_WAIT_S, GROWTH = 5.0, 4.0
TAKEN_FOR = timedelta(minutes=2)
"""A delivery that was taken and of which nothing was heard is tried again after that."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that is told of events of these kinds of its user's runs."""

    id: str
    user: str
    url: str
    secret: str
    kinds: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook; `due_at` is None once it was taken or given up."""

    webhook_id: str
    run_id: str
    sequence: int
    kind: str
    attempts: int
    due_at: datetime | None
    delivered_at: datetime | None
    said: str

    @property
    def message_id(self) -> str:
        """The same for every attempt, so that a receiver knows what it has had before."""
        key = f"{self.webhook_id}.{self.run_id}.{self.sequence}"
        return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:24]}"


class Webhooks:
    """The webhooks and deliveries of one database; `clock` returns an aware time."""

    def __init__(self, engine: Engine, clock: rules.Clock = rules.utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, webhook: Webhook) -> None:
        """Keep a webhook."""
        values = {name: getattr(webhook, name) for name in Webhook.__slots__}
        with writing(self._engine) as connection:
            connection.execute(plain_insert(WebhookRow).values(**values))

    def of(self, user: str | None = None) -> Sequence[Webhook]:
        """The webhooks of a user, or all, the oldest first."""
        query = select(*WebhookRow.__table__.columns).order_by(WebhookRow.created_at, WebhookRow.id)
        if user is not None:
            query = query.where(WebhookRow.user == user)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings()
            return [Webhook(**{**row, "kinds": tuple(row["kinds"])}) for row in found]

    def remove(self, webhook_id: str) -> None:
        """Forget a webhook with its deliveries."""
        with writing(self._engine) as connection:
            connection.execute(delete(WebhookRow).where(WebhookRow.id == webhook_id))

    def plan(self, events: Sequence[tuple[str, RunEvent]]) -> None:
        """Plan a delivery of each event to whoever wants it; to plan twice changes nothing."""
        wanted: dict[str, list[Webhook]] = {}
        for webhook in self.of():
            wanted.setdefault(webhook.user, []).append(webhook)
        if not wanted or not events:
            return
        owners = self._owners({run_id for run_id, _ in events})
        planned = [
            _planned(webhook, run_id, event, self._clock())
            for run_id, event in events
            for webhook in wanted.get(owners.get(run_id, ""), ())
            if event.kind in webhook.kinds
        ]
        with writing(self._engine) as connection:
            upsert(connection, DeliveryRow, planned)

    def _owners(self, run_ids: set[str]) -> dict[str, str]:
        query = select(RunOwnerRow.run_id, RunOwnerRow.user).where(RunOwnerRow.run_id.in_(run_ids))
        with reading(self._engine) as connection:
            return {row.run_id: row.user for row in connection.execute(query)}

    def take(self, limit: int = 20) -> Sequence[tuple[Webhook, Delivery]]:
        """Deliveries that are due, with this attempt counted; nobody else gets them meanwhile."""
        now = self._clock()
        due = _DELIVERIES.where(DeliveryRow.due_at <= now).order_by(DeliveryRow.due_at)
        with writing(self._engine) as connection:
            found = connection.execute(due.limit(limit).with_for_update(skip_locked=True))
            deliveries = [Delivery(**row) for row in found.mappings()]
            for one in deliveries:
                taken = {"due_at": now + TAKEN_FOR, "attempts": one.attempts + 1}
                connection.execute(update(DeliveryRow).where(_is(one)).values(taken))
        webhooks = {webhook.id: webhook for webhook in self.of()} if deliveries else {}
        return [(webhooks[d.webhook_id], d) for d in deliveries if d.webhook_id in webhooks]

    def succeeded(self, delivery: Delivery, said: str) -> None:
        """The receiver has taken it."""
        values = {"due_at": None, "delivered_at": self._clock(), "said": said}
        with writing(self._engine) as connection:
            connection.execute(update(DeliveryRow).where(_is(delivery)).values(values))

    def failed(self, delivery: Delivery, said: str) -> None:
        """It is tried again later, or given up; `delivery` is as `take` gave it."""
        attempt = delivery.attempts + 1
        wait = timedelta(seconds=FIRST_WAIT_S * GROWTH ** (attempt - 1))
        due_at = None if attempt >= ATTEMPTS else self._clock() + wait
        with writing(self._engine) as connection:
            values = {"due_at": due_at, "said": said}
            connection.execute(update(DeliveryRow).where(_is(delivery)).values(values))

    def deliveries(self, webhook_id: str, limit: int = 100) -> Sequence[Delivery]:
        """What became of the last events, the newest first."""
        query = _DELIVERIES.where(DeliveryRow.webhook_id == webhook_id)
        query = query.order_by(DeliveryRow.run_id.desc(), DeliveryRow.sequence.desc())
        with reading(self._engine) as connection:
            return [Delivery(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def count(self, user: str) -> int:
        """How many webhooks a user has."""
        query = select(func.count()).select_from(WebhookRow).where(WebhookRow.user == user)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())


_DELIVERIES: Select[Any] = select(*DeliveryRow.__table__.columns)


def _is(delivery: Delivery) -> Any:
    return (
        (DeliveryRow.webhook_id == delivery.webhook_id)
        & (DeliveryRow.run_id == delivery.run_id)
        & (DeliveryRow.sequence == delivery.sequence)
    )


def _planned(webhook: Webhook, run_id: str, event: RunEvent, now: datetime) -> dict[str, Any]:
    return {
        "webhook_id": webhook.id,
        "run_id": run_id,
        "sequence": event.sequence,
        "kind": event.kind,
        "attempts": 0,
        "due_at": now,
        "delivered_at": None,
        "said": "",
    }
