"""Live events of runs as server-sent events, from the store, with one look at it for everybody.

Events are numbered 1, 2, 3… without a gap, so the number that a client saw last says exactly where
to go on, whatever happened in between.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from apr.core.errors import AprError
from apr.core.ports import RunStore
from apr.core.run import RunEvent, RunStatus
from apr.storage.catalog import Head, RunCatalog
from web.intake.bounds import BusyError

log = logging.getLogger("apr.events")
LOOK_EVERY_S = 0.25
HEARTBEAT_S = 15.0
RETRY_MS = 2000
GONE = "the run is gone"


class Topic:
    """The events of one run that is watched, as far as they are known here."""

    def __init__(self) -> None:
        self.events: list[RunEvent] = []
        self.status: RunStatus | None = None
        self.is_gone = False
        self.listeners = 0
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Wake whoever waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, timeout_s: float) -> bool:
        """Wait for news; False when there was none in time."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True


class EventHub:
    """Looks at the store for all listeners together."""

    def __init__(
        self, store: RunStore, catalog: RunCatalog, *, most: int = 1000, most_each: int = 300
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._most, self._most_each = most, most_each
        self._topics: dict[str, Topic] = {}
        self._users: dict[str, int] = {}
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Look for news as long as somebody listens; until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._look()
            except AprError as error:  # listeners wait until the database is back
                log.warning("cannot look for events: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        topics = dict(self._topics)
        if not topics:
            self._wanted.clear()
            return
        heads = await asyncio.to_thread(self._catalog.heads, list(topics))
        for run_id, topic in topics.items():
            await self._update(run_id, topic, heads.get(run_id))

    async def _update(self, run_id: str, topic: Topic, head: Head | None) -> None:
        if head is None:
            topic.is_gone = True
        elif head.last_event > len(topic.events):
            found = await asyncio.to_thread(self._store.events, run_id, len(topic.events))
            topic.events.extend(found)
        elif head.status is topic.status:
            return
        topic.status = None if head is None else head.status
        topic.tell()

    @contextmanager
    def listening(self, run_id: str, user: str) -> Iterator[Topic]:
        """The topic of a run, kept up to date within the block.

        Raises:
            BusyError: when too many are open, in all or of the user.
        """
        if sum(self._users.values()) >= self._most or self._users.get(user, 0) >= self._most_each:
            raise BusyError("too many event streams are open: close some")
        topic = self._topics.setdefault(run_id, Topic())
        topic.listeners += 1
        self._users[user] = self._users.get(user, 0) + 1
        self._wanted.set()
        try:
            yield topic
        finally:
            topic.listeners -= 1
            self._users[user] -= 1
            if not self._users[user]:
                del self._users[user]
            if not topic.listeners and self._topics.get(run_id) is topic:
                del self._topics[run_id]


async def follow(topic: Topic, after: int) -> AsyncIterator[str]:
    """The events numbered above `after` as text, until the run has ended and all were told."""
    yield f"retry: {RETRY_MS}\n\n"
    while True:
        while after < len(topic.events):  # more may come while one is sent
            yield render_event(topic.events[after])
            after += 1
        if topic.is_gone or (topic.status is not None and topic.status.is_final):
            status = GONE if topic.status is None else topic.status.value
            yield f"event: end\ndata: {json.dumps({'status': status})}\n\n"
            return
        if not await topic.change(HEARTBEAT_S):
            yield ": still here\n\n"


def render_event(event: RunEvent) -> str:
    """One event; JSON has no line end of its own, so nothing in it can begin another field."""
    data = json.dumps({"at": event.at.isoformat(), "kind": event.kind, **event.data})
    return f"id: {event.sequence}\nevent: {event.kind}\ndata: {data}\n\n"
