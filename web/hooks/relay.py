"""Takes events out of the store's outbox and tells whoever wants to know, until they have it."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from apr.core.errors import AprError
from apr.results.details import brief_document
from apr.storage.store import SqlRunStore
from apr.storage.webhooks import Delivery, Webhook, Webhooks
from web.hooks.post import post
from web.hooks.sign import sign
from web.intake.addresses import resolve
from web.intake.bounds import RefusedSourceError

log = logging.getLogger("apr.hooks")
LOOK_EVERY_S = 1.0
EVENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Relay:
    """Moves events from the outbox to deliveries, and deliveries to their receivers."""

    store: SqlRunStore
    webhooks: Webhooks
    allow_private: bool
    clock: Callable[[], float] = time.time

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; what cannot be reached is tried again."""
        while not stop.wait(LOOK_EVERY_S):
            try:
                while self.plan() and not stop.is_set():
                    pass
                self.deliver(stop)
            except AprError as error:
                log.warning("cannot look for events: %s", error)

    def plan(self) -> bool:
        """Plan deliveries of the oldest events in the outbox; whether there were any."""
        events = self.store.unpublished_events(EVENTS_AT_ONCE)
        self.webhooks.plan(events)
        last = {run_id: event.sequence for run_id, event in events}
        for run_id, sequence in last.items():
            self.store.mark_published(run_id, sequence)
        return bool(events)

    def deliver(self, stop: threading.Event | None = None) -> None:
        """Try what is due."""
        for webhook, delivery in self.webhooks.take():
            if stop is not None and stop.is_set():
                return  # it is due again soon
            self._try(webhook, delivery)

    def _try(self, webhook: Webhook, delivery: Delivery) -> None:
        try:
            status = self._post(webhook, delivery)
        except (OSError, http.client.HTTPException, RefusedSourceError) as error:
            self.webhooks.failed(delivery, f"not reached: {error}"[:300])
            return
        if 200 <= status < 300:
            self.webhooks.succeeded(delivery, f"status {status}")
        else:
            self.webhooks.failed(delivery, f"status {status}")

    def _post(self, webhook: Webhook, delivery: Delivery) -> int:
        schemes = ("https", "http") if self.allow_private else ("https",)
        # Looked up for every attempt: what was public yesterday may be inside today.
        place = resolve(webhook.url, schemes=schemes, allow_private=self.allow_private)
        body, now = self._body(delivery), int(self.clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "APR-webhook",
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(webhook.secret, delivery.message_id, now, body),
        }
        return post(place, body, headers)

    def _body(self, delivery: Delivery) -> bytes:
        run = self.store.get_run(delivery.run_id)
        event = next(self.store.events(delivery.run_id, delivery.sequence - 1))
        document = {
            "type": f"run.{event.kind}",
            "timestamp": event.at.isoformat(),
            "data": {**event.data, "run": brief_document(run)},
        }
        return json.dumps(document).encode()
