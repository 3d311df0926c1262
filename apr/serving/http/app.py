"""The routes: chat, completions, models, health; errors as OpenAI's clients expect them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from apr.core.errors import BadInputError
from apr.serving.http.guard import GuardMiddleware
from apr.serving.http.metrics import CountingMiddleware, Metrics
from apr.serving.http.orders import Order, order_chat, order_completion
from apr.serving.http.replies import DONE, Envelope, count_usage, failed_piece, failure
from apr.serving.http.schemas import AnyRequest, ChatRequest, CompletionRequest
from apr.serving.http.service import BrokenError, BusyError, Service
from apr.serving.weights.vocabulary import Vocabulary

Result = TypeVar("Result")
CLIENT_GONE = 499  # as nginx logs it; nobody reads the reply
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """What a server promises; `token` is asked of every client, None of nobody."""

    model: str
    length: int
    timeout_s: float
    token: str | None = None


class UnknownModelError(BadInputError):
    """A client asks for a model that is not served."""


class TimeOutError(Exception):
    """A request took longer than the policy allows."""


class GoneError(Exception):
    """The client has closed its connection."""


def create_app(service: Service, vocabulary: Vocabulary, policy: Policy) -> FastAPI:
    """The application; the engine runs while it does."""

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(title="apr serve", lifespan=running, openapi_url=None)
    _add_errors(app)
    if policy.token is not None:
        app.add_middleware(GuardMiddleware, token=policy.token)
    metrics = Metrics(service)
    app.add_middleware(CountingMiddleware, metrics=metrics)
    answerer = Answerer(service, policy)

    @app.post("/v1/chat/completions")
    async def chat(body: ChatRequest, request: Request) -> Response:
        order = await asyncio.to_thread(order_chat, body, vocabulary, policy.length)
        envelope = Envelope(policy.model, vocabulary, is_chat=True)
        return await answerer.answer(request, body, order, envelope)

    @app.post("/v1/completions")
    async def completions(body: CompletionRequest, request: Request) -> Response:
        order = await asyncio.to_thread(order_completion, body, vocabulary, policy.length)
        envelope = Envelope(policy.model, vocabulary, is_chat=False, is_echo=body.echo)
        return await answerer.answer(request, body, order, envelope)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        described = {"id": policy.model, "object": "model", "created": 0, "owned_by": "apr"}
        return {"object": "list", "data": [described | {"max_model_len": policy.length}]}

    @app.get("/health")
    async def health() -> Response:
        if service.failure is not None:
            return JSONResponse({"status": "failed", "why": str(service.failure)}, 503)
        return JSONResponse({"status": "ok", "under_way": service.under_way})

    @app.get("/metrics")
    async def measured() -> Response:
        return PlainTextResponse(metrics.render())

    return app


class Answerer:
    """Turns orders into responses."""

    def __init__(self, service: Service, policy: Policy) -> None:
        self._service = service
        self._policy = policy

    async def answer(
        self, request: Request, body: AnyRequest, order: Order, envelope: Envelope
    ) -> Response:
        """The response, whole or streamed."""
        if body.model not in ("", self._policy.model):
            raise UnknownModelError(f"the model {body.model!r} is not served here")
        if body.stream:
            return await self._stream(request, body, order, envelope)
        writing = asyncio.wait_for(self._service.write_all(order.sequences), self._policy.timeout_s)
        try:
            texts = await unless_gone(request, writing)
        except TimeoutError:
            raise TimeOutError(self._too_late) from None
        usage = count_usage(order.prompts, order.sequences)
        return JSONResponse(envelope.whole(texts, usage))

    @property
    def _too_late(self) -> str:
        return f"not answered within {self._policy.timeout_s:g} s"

    async def _stream(
        self, request: Request, body: AnyRequest, order: Order, envelope: Envelope
    ) -> Response:
        lines = self._lines(body, order, envelope)
        try:
            # The first piece is waited for, so that a refusal still has its own status.
            first = await unless_gone(request, anext(lines))
        except BaseException:
            await lines.aclose()
            raise
        return StreamingResponse(_after(first, lines), media_type="text/event-stream")

    async def _lines(
        self, body: AnyRequest, order: Order, envelope: Envelope
    ) -> AsyncGenerator[str, None]:
        """The server-sent events of a reply."""
        indices = {sequence: i for i, sequence in enumerate(order.sequences)}
        deadline = asyncio.get_running_loop().time() + self._policy.timeout_s
        opening = envelope.openings(order.sequences)
        async with aclosing(self._service.write(order.sequences)) as events:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    yield failed_piece(self._too_late, "timeout_error")
                    return
                yield opening + envelope.piece(indices[event.sequence], event)
                opening = ""
        if body.wants_usage:
            yield envelope.closing(count_usage(order.prompts, order.sequences))
        yield DONE


async def _after(first: str, lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    async with aclosing(lines):
        yield first
        async for line in lines:
            yield line


async def unless_gone(request: Request, work: Awaitable[Result]) -> Result:
    """The result of `work`, which is cancelled when the client goes away.

    Raises:
        GoneError: when it does.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise GoneError
        return task.result()
    finally:
        for one in (task, watch):
            one.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_errors(app: FastAPI) -> None:
    statuses: dict[type[Exception], tuple[int, str]] = {
        UnknownModelError: (404, "invalid_request_error"),
        BadInputError: (400, "invalid_request_error"),
        BusyError: (429, "rate_limit_error"),
        TimeOutError: (504, "timeout_error"),
        GoneError: (CLIENT_GONE, "client_error"),
        BrokenError: (500, "server_error"),
    }

    def reply_with(status: int, kind: str) -> Callable[[Request, Exception], Response]:
        def reply(request: Request, error: Exception) -> Response:
            headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else None
            return JSONResponse(failure(str(error), kind), status, headers)

        return reply

    for kind, (status, name) in statuses.items():
        app.add_exception_handler(kind, reply_with(status, name))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return JSONResponse(failure(f"{where}: {first['msg']}", "invalid_request_error"), 400)
