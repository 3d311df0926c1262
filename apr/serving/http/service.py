"""The engine's own thread, and the way between it and the event loop of the server."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Iterable
from collections.abc import Sequence as Listing
from contextlib import aclosing
from types import TracebackType
from typing import Self

from apr.core.errors import AprError, BadInputError
from apr.serving.engine import Engine
from apr.serving.sequence import Event, Sequence

IDLE_WAIT_S = 0.5


class BusyError(AprError):
    """As many answers are waited for as the server will take."""


class BrokenError(AprError):
    """The engine has failed and answers nobody any more."""


class Service:
    """Writes sequences for many waiting clients; used from one event loop.

    `places`: how many sequences may be under way or waiting at once.
    """

    def __init__(self, engine: Engine, places: int) -> None:
        self.engine = engine
        self._places = places
        self._inbox: queue.SimpleQueue[tuple[bool, Listing[Sequence]] | None] = queue.SimpleQueue()
        self._readers: dict[Sequence, asyncio.Queue[Event | None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def failure(self) -> Exception | None:
        """Why the engine has stopped, if it has."""
        return self._failure

    @property
    def under_way(self) -> int:
        """Sequences that are written or wait for a slot."""
        return len(self._readers)

    async def write(self, sequences: Listing[Sequence]) -> AsyncGenerator[Event, None]:
        """The events of these until all have ended; leaving early cancels the rest.

        Raises:
            BadInputError: when there will never be places for all of them.
            BusyError: when there are none now.
            BrokenError: when the engine fails.
        """
        if len(sequences) > self._places:
            raise BadInputError(
                f"{len(sequences)} answers are asked for, the server takes {self._places} at most"
            )
        if self.under_way + len(sequences) > self._places:
            raise BusyError(f"{self.under_way} answers are under way, the most is {self._places}")
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        open_ones = dict.fromkeys(sequences, events)
        self._readers |= open_ones
        self._inbox.put((True, sequences))
        try:
            while open_ones:
                event = None if self._failure else await events.get()
                if event is None:
                    raise BrokenError(f"the engine has failed: {self._failure}")
                if event.finish is not None:
                    del open_ones[event.sequence], self._readers[event.sequence]
                yield event
        finally:
            if open_ones:
                for sequence in open_ones:
                    del self._readers[sequence]
                self._inbox.put((False, tuple(open_ones)))

    async def write_all(self, sequences: Listing[Sequence]) -> dict[Sequence, str]:
        """The texts of these when all have ended."""
        texts = dict.fromkeys(sequences, "")
        async with aclosing(self.write(sequences)) as events:
            async for event in events:
                texts[event.sequence] += event.text
        return texts

    def _work(self) -> None:
        try:
            while self._take_in():
                events = self.engine.turn()
                if events:
                    self._call(self._deliver, events)
        except Exception as error:  # noqa: BLE001 - whoever waits must be told, whatever it is
            self._failure = error
            self._call(self._give_up)

    def _take_in(self) -> bool:
        """Hand orders to the engine, waiting for one when there is nothing else to do."""
        while True:
            try:
                order = self._inbox.get(block=self.engine.is_idle, timeout=IDLE_WAIT_S)
            except queue.Empty:
                if self.engine.is_idle:
                    continue
                return True
            if order is None:
                return False
            is_new, sequences = order
            (self.engine.submit if is_new else self.engine.cancel)(sequences)

    def _call(self, function: object, *arguments: object) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]

    def _deliver(self, events: Iterable[Event]) -> None:
        for event in events:
            reader = self._readers.get(event.sequence)
            if reader is not None:
                reader.put_nowait(event)

    def _give_up(self) -> None:
        for reader in set(self._readers.values()):
            reader.put_nowait(None)
