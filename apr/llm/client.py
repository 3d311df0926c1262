"""Asks an OpenAI-compatible endpoint: concurrent, patient, and never beyond the run's budget."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from apr.core.errors import AprError, BudgetExhaustedError
from apr.core.model import Arrived, ModelReply, ModelRequest, Purse
from apr.llm.endpoint import Endpoint
from apr.llm.limits import OpenWindow, open_local
from apr.llm.session import Session


class OpenAIClient:
    """A `ModelClient` for one endpoint; leaving the context ends its connections.

    Every attempt is reserved in `purse` before it is sent, with the most that it can cost, and
    settled with what it did cost. An attempt whose reply got lost, or came without a count of its
    tokens, counts with all that was reserved, since the server may have charged for it. `seed`
    decides the jitter of retries. `open_window` may share the endpoint's rate limits with other
    processes. `uncounted` is the number of replies without a count. `is_priced` says that the
    money in `purse` is known, though it may be none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        purse: Purse,
        seed: int = 0,
        open_window: OpenWindow = open_local,
    ) -> None:
        self.name = endpoint.model
        self.is_priced = endpoint.price is not None
        self.uncounted = 0
        self._endpoint = endpoint
        self._open_window = open_window
        self._purse = purse
        self._rng = random.Random(seed)
        self._key = endpoint.api_key()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm", daemon=True)
        self._session: Session | None = None
        self._tasks: set[asyncio.Task[ModelReply]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """Cancel what is under way, and let it settle what it has reserved."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await self._loop.shutdown_asyncgens()  # of streams that were not read to their end

    def complete(
        self, requests: Sequence[ModelRequest], arrived: Arrived | None = None
    ) -> list[ModelReply]:
        """See `ModelClient.complete`."""
        future = asyncio.run_coroutine_threadsafe(self._complete(requests, arrived), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _complete(
        self, requests: Sequence[ModelRequest], arrived: Arrived | None
    ) -> list[ModelReply]:
        if self._session is None:
            self._session = Session(
                self._endpoint, self._key, self._purse, self._rng, self._open_window
            )
        tasks = [
            self._start(self._ask(self._session, position, request, arrived))
            for position, request in enumerate(requests)
        ]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [result for result in ended if isinstance(result, BaseException)]
        if errors and (len(errors) == len(ended) or not _are_all_caps(errors)):
            raise _gravest(errors)
        return [ModelReply(()) if isinstance(r, BaseException) else r for r in ended]

    def _start(self, coroutine: Coroutine[Any, Any, ModelReply]) -> asyncio.Task[ModelReply]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _ask(
        self, session: Session, position: int, request: ModelRequest, arrived: Arrived | None
    ) -> ModelReply:
        reply = await session.ask(request)
        self.uncounted += reply.usage.is_estimate
        if arrived is not None:
            arrived(position, reply)
        return reply


def _are_all_caps(errors: Sequence[BaseException]) -> bool:
    return all(isinstance(error, BudgetExhaustedError) for error in errors)


def _gravest(errors: Sequence[BaseException]) -> BaseException:
    """What the run has to hear: our own mistakes first, then the endpoint's, the caps last."""

    def rank(error: BaseException) -> int:
        return isinstance(error, AprError) + isinstance(error, BudgetExhaustedError)

    return min(errors, key=rank)
