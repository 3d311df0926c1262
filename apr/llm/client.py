"""Asks an OpenAI-compatible endpoint: concurrent, patient, and never beyond the run's budget."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from apr.core.errors import AprError, BudgetExhaustedError, ModelError, PromptTooLongError
from apr.core.model import Answer, ModelReply, ModelRequest, Purse, TokenUsage
from apr.core.run import Usage
from apr.llm.endpoint import NO_KEY, Endpoint
from apr.llm.limits import Throttle
from apr.llm.prices import FREE, Price
from apr.llm.retry import is_retried, retry_after_s
from apr.llm.stream import assemble

if TYPE_CHECKING:
    from openai import AsyncOpenAI

BYTES_PER_TOKEN = 3.5  # of code, for servers that do not count
TEMPLATE_TOKENS = 64  # what a chat template may add, and as much again for each message
MESSAGE_CUT = 300


class OpenAIClient:
    """A `ModelClient` for one endpoint; leaving the context ends its connections.

    Every attempt is reserved in `purse` before it is sent, with the most that it can cost, and
    settled with what it did cost. An attempt whose reply got lost counts with all that was
    reserved, since the server may have charged for it. `seed` decides the jitter of retries.
    """

    def __init__(self, endpoint: Endpoint, purse: Purse, seed: int = 0) -> None:
        self.name = endpoint.model
        self._endpoint = endpoint
        self._price = endpoint.price or FREE
        self._purse = purse
        self._rng = random.Random(seed)
        self._key = endpoint.api_key()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm", daemon=True)
        self._session: _Session | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            asyncio.run_coroutine_threadsafe(self._session.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def complete(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """See `ModelClient.complete`; the first error cancels what is still under way."""
        future = asyncio.run_coroutine_threadsafe(self._complete(requests), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _complete(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        if self._session is None:
            self._session = _Session(self._endpoint, self._key, self._price, self._purse, self._rng)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._session.ask(request)) for request in requests]
        except* (AprError, OSError, RuntimeError) as errors:
            raise _first(errors) from None
        return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


class _FailedAttemptError(Exception):
    """One attempt failed; `wait_s` is what the server asked for."""

    def __init__(
        self,
        message: str,
        *,
        is_final: bool = False,
        wait_s: float | None = None,
        is_overload: bool = False,
        may_have_cost: bool = False,
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.wait_s = wait_s
        self.is_overload = is_overload
        self.may_have_cost = may_have_cost


class _Session:
    """The part of a client that lives in its event loop."""

    def __init__(
        self, endpoint: Endpoint, key: str, price: Price, purse: Purse, rng: random.Random
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._price = price
        self._purse = purse
        self._rng = rng
        self._sdk = _connect(endpoint, key)
        self._throttle = Throttle(
            endpoint.concurrency, endpoint.requests_per_minute, endpoint.tokens_per_minute
        )
        self._in_flight = 0
        self._settled = asyncio.Condition()

    async def close(self) -> None:
        await self._sdk.close()

    async def ask(self, request: ModelRequest) -> ModelReply:
        """One reply, after as many attempts as the endpoint's policy allows."""
        bound = self._bound(request)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._throttle.turn(bound.tokens):
                    return await self._attempt(request, bound)
            except _FailedAttemptError as failure:
                wait_s = self._endpoint.retry.wait_s(attempt, failure.wait_s, self._rng)
                if failure.is_final or wait_s is None:
                    raise ModelError(self._describe(str(failure), attempt)) from None
                if failure.is_overload:
                    self._throttle.pause(wait_s)
            await asyncio.sleep(wait_s)

    def _bound(self, request: ModelRequest) -> Usage:
        """The most that one attempt can use."""
        turns = 1 if isinstance(request.prompt, str) else 1 + len(request.prompt)
        prompt = request.prompt_bytes + TEMPLATE_TOKENS * turns
        completion = request.sampling.n * request.sampling.max_tokens
        most = TokenUsage(prompt=prompt, completion=completion)
        return Usage(calls=1, tokens=most.total, cost_usd=self._price.of(most))

    async def _attempt(self, request: ModelRequest, bound: Usage) -> ModelReply:
        await self._reserve(bound)
        # Unless we learn better: whatever was reserved is gone.
        spent = bound
        try:
            reply = await self._send(request)
            spent = Usage(calls=1, tokens=reply.usage.total, cost_usd=reply.cost_usd)
            return reply
        except _FailedAttemptError as failure:
            if not failure.may_have_cost:
                spent = Usage(calls=1)
            raise
        finally:
            self._purse.settle(bound, spent)
            self._in_flight -= 1
            async with self._settled:
                self._settled.notify_all()

    async def _reserve(self, bound: Usage) -> None:
        """Reserve; what others have reserved but may not use is waited for."""
        while True:
            try:
                self._purse.reserve(bound)
            except BudgetExhaustedError:
                if not self._in_flight:
                    raise
                async with self._settled:
                    await self._settled.wait()
            else:
                self._in_flight += 1
                return

    async def _send(self, request: ModelRequest) -> ModelReply:
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        try:
            raw = await self._call(request)
        except APIStatusError as error:
            raise self._failure_of_status(error.status_code, str(error), error.response) from None
        except APITimeoutError:
            message = f"no reply within {self._endpoint.timeout_s:g} s"
            raise _FailedAttemptError(message, may_have_cost=True) from None
        except APIConnectionError as error:
            raise _FailedAttemptError(
                f"the connection failed: {error.__cause__ or error}"
            ) from None
        except (APIError, ValueError) as error:
            raise _FailedAttemptError(
                f"the reply makes no sense: {error}", may_have_cost=True
            ) from None
        return self._read(raw, request)

    async def _call(self, request: ModelRequest) -> Any:
        options = _options(request, self._endpoint.model)
        if self._endpoint.stream:
            options |= {"stream": True, "stream_options": {"include_usage": True}}
        if isinstance(request.prompt, str):
            raw = await self._sdk.completions.create(prompt=request.prompt, **options)
        else:
            messages: Any = [{"role": m.role.value, "content": m.content} for m in request.prompt]
            raw = await self._sdk.chat.completions.create(messages=messages, **options)
        return await assemble(raw) if self._endpoint.stream else raw

    def _failure_of_status(self, status: int, text: str, response: Any) -> _FailedAttemptError:
        if status == 400 and "context" in text and ("length" in text or "exceed" in text):
            raise PromptTooLongError(self._describe(text, 1))
        asked_s = retry_after_s(response.headers)
        overload = status in (429, 503) or asked_s is not None
        return _FailedAttemptError(
            text, is_final=not is_retried(status), wait_s=asked_s, is_overload=overload
        )

    def _read(self, raw: Any, request: ModelRequest) -> ModelReply:
        """The SDK's object as a reply; servers differ in what they leave out."""
        try:
            answers = tuple(_answer(choice) for choice in raw.choices)
        except (AttributeError, TypeError) as error:
            raise _FailedAttemptError(
                f"the reply makes no sense: {error}", may_have_cost=True
            ) from None
        if not answers:
            raise _FailedAttemptError("the reply holds no answer", may_have_cost=True)
        usage = _read_usage(raw) or _estimate(request, answers)
        return ModelReply(answers, usage, self._price.of(usage))

    def _describe(self, message: str, attempts: int) -> str:
        times = "" if attempts == 1 else f" after {attempts} attempts"
        clean = " ".join(message.split())
        if self._key != NO_KEY:
            clean = clean.replace(self._key, "[key]")
        return f"the model {self._endpoint.model} gives no reply{times}: {clean[:MESSAGE_CUT]}"


def _never_connected(error: Exception) -> bool:
    """Nothing was sent, so nothing can have been charged for."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")


def _connect(endpoint: Endpoint, key: str) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=key, base_url=endpoint.base_url, timeout=endpoint.timeout_s, max_retries=0
    )


def _options(request: ModelRequest, model: str) -> dict[str, Any]:
    """The sampling as the protocol has it; what is at its default is left to the server."""
    sampling = request.sampling
    options: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.top_p != 1.0:
        options["top_p"] = sampling.top_p
    if sampling.n != 1:
        options["n"] = sampling.n
    if sampling.stop:
        options["stop"] = list(sampling.stop)
    if sampling.presence_penalty:
        options["presence_penalty"] = sampling.presence_penalty
    if sampling.frequency_penalty:
        options["frequency_penalty"] = sampling.frequency_penalty
    if sampling.seed is not None:
        options["seed"] = sampling.seed
    return options


def _answer(choice: Any) -> Answer:
    message = getattr(choice, "message", None)
    text = choice.text if message is None else message.content
    return Answer(text or "", choice.finish_reason or "stop")


def _read_usage(raw: Any) -> TokenUsage | None:
    counted = getattr(raw, "usage", None)
    if counted is None or not isinstance(counted.prompt_tokens, int):
        return None
    details = getattr(counted, "prompt_tokens_details", None)
    return TokenUsage(
        prompt=counted.prompt_tokens,
        completion=counted.completion_tokens or 0,
        cached=getattr(details, "cached_tokens", None) or 0,
    )


def _estimate(request: ModelRequest, answers: Sequence[Answer]) -> TokenUsage:
    written = sum(len(answer.text.encode("utf-8", "replace")) for answer in answers)
    return TokenUsage(
        prompt=math.ceil(request.prompt_bytes / BYTES_PER_TOKEN),
        completion=math.ceil(written / BYTES_PER_TOKEN),
        is_estimate=True,
    )
