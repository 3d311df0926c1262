"""Counters of a server, in the text format that Prometheus reads."""

from __future__ import annotations

import time
from collections import defaultdict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apr.serving.http.service import Service

NOT_STARTED = 0  # the status of a request whose client left before the response began


class Metrics:
    """Requests by route and status, the seconds they took, and what the engine has done."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def count(self, path: str, status: int, seconds: float) -> None:
        """A response has been sent."""
        self._requests[path, status] += 1
        self._seconds[path] += seconds

    def render(self) -> str:
        """All of it."""
        tally = self._service.engine.tally
        numbers: dict[str, float] = {
            f'apr_requests_total{{path="{path}",status="{status}"}}': count
            for (path, status), count in sorted(self._requests.items())
        }
        for path, seconds in sorted(self._seconds.items()):
            numbers[f'apr_request_seconds_total{{path="{path}"}}'] = round(seconds, 6)
        numbers |= {
            "apr_sequences_under_way": self._service.under_way,
            "apr_slots": tally.slots,
            "apr_slots_taken": tally.taken,
            "apr_sequences_waiting": tally.waiting,
            "apr_steps_total": tally.steps,
            "apr_prompt_tokens_total": tally.prompt_tokens,
            "apr_prompt_tokens_cached_total": tally.cached_tokens,
            "apr_completion_tokens_total": tally.tokens,
            "apr_drafted_tokens_total": tally.drafted,
            "apr_accepted_tokens_total": tally.accepted,
        }
        return "".join(f"{name} {value}\n" for name, value in numbers.items())


class CountingMiddleware:
    """Counts every response into `metrics`."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = NOT_STARTED

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, watched)
        finally:
            # Unknown paths share one name, or a client could fill the memory with them.
            path = getattr(scope.get("route"), "path", "unknown")
            self._metrics.count(path, status, time.perf_counter() - began)
