"""The routes: chat, completions, models, health; errors as OpenAI's clients expect them."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse

from apr.core.errors import BadInputError
from apr.serving.http.orders import Order, order_chat, order_completion
from apr.serving.http.replies import DONE, Envelope, count_usage, failure
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
    _add_guard(app, policy)
    answerer = Answerer(service, policy)

    @app.post("/v1/chat/completions")
    async def chat(body: ChatRequest, request: Request) -> Response:
        order = await asyncio.to_thread(order_chat, body, vocabulary, policy.length)
        return await answerer.answer(request, body, order, Envelope(policy.model, is_chat=True))

    @app.post("/v1/completions")
    async def completions(body: CompletionRequest, request: Request) -> Response:
        order = await asyncio.to_thread(order_completion, body, vocabulary, policy.length)
        return await answerer.answer(request, body, order, Envelope(policy.model, is_chat=False))

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        described = {"id": policy.model, "object": "model", "created": 0, "owned_by": "apr"}
        return {"object": "list", "data": [described | {"max_model_len": policy.length}]}

    @app.get("/health")
    async def health() -> Response:
        if service.failure is not None:
            return JSONResponse({"status": "failed", "why": str(service.failure)}, 503)
        return JSONResponse({"status": "ok", "under_way": service.under_way})

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
            lines = self._lines(body, order, envelope)
            # The first piece is waited for, so that a refusal still has its own status.
            first = await anext(lines)
            return StreamingResponse(_after(first, lines), media_type="text/event-stream")
        writing = self._in_time(self._service.write_all(order.sequences))
        texts = await unless_gone(request, writing)
        finishes = [one.finish for one in order.sequences]
        usage = count_usage(order.prompts, order.sequences)
        return JSONResponse(envelope.whole([*texts.values()], finishes, usage))  # type: ignore[arg-type]

    async def _in_time(self, work: Awaitable[Result]) -> Result:
        try:
            return await asyncio.wait_for(work, self._policy.timeout_s)
        except TimeoutError:
            raise TimeOutError(f"not answered within {self._policy.timeout_s:g} s") from None

    async def _lines(
        self, body: AnyRequest, order: Order, envelope: Envelope
    ) -> AsyncIterator[str]:
        """The server-sent events of a reply."""
        indices = {sequence: i for i, sequence in enumerate(order.sequences)}
        deadline = asyncio.get_running_loop().time() + self._policy.timeout_s
        async with aclosing(self._service.write(order.sequences)) as events:  # type: ignore[type-var]
            if envelope.is_chat:
                opened = [envelope.opening(i) for i in indices.values()]
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    yield _failure_line(f"not answered within {self._policy.timeout_s:g} s")
                    return
                if envelope.is_chat and opened:
                    yield "".join(opened)
                    opened = []
                yield envelope.piece(indices[event.sequence], event)
        if body.wants_usage:
            yield envelope.closing(count_usage(order.prompts, order.sequences))
        yield DONE


def _failure_line(message: str) -> str:
    import json

    return f"data: {json.dumps(failure(message, 'timeout_error'))}\n\n"


async def _after(first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async with aclosing(lines):  # type: ignore[type-var]
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


def _add_guard(app: FastAPI, policy: Policy) -> None:
    if policy.token is None:
        return
    expected = f"Bearer {policy.token}".encode()

    @app.middleware("http")
    async def guard(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        given = request.headers.get("authorization", "").encode()
        if request.url.path != "/health" and not hmac.compare_digest(given, expected):
            return JSONResponse(
                failure("a valid bearer token is needed", "authentication_error"), 401
            )
        return await proceed(request)
