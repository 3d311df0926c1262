"""Asks one endpoint again and again, within its limits and the run's budget."""

from __future__ import annotations

import asyncio
import functools
import random
from dataclasses import replace
from typing import Any

from apr.core.errors import BudgetExhaustedError, ModelError, ModelRefusedError
from apr.core.model import Answer, ModelReply, ModelRequest, Purse, TokenUsage
from apr.core.run import Usage
from apr.llm.connection import connect
from apr.llm.dialect import Dialect, make_options
from apr.llm.endpoint import NO_KEY, Endpoint
from apr.llm.faults import (
    Charge,
    FailedAttemptError,
    expected_errors,
    explain,
    refused_parameter,
)
from apr.llm.limits import OpenWindow, Throttle, open_local
from apr.llm.prices import FREE
from apr.llm.reading import estimate_usage, is_undercounted, read_answers, read_usage
from apr.llm.stream import assemble

TEMPLATE_TOKENS = 64  # what a chat template may add, and as much again for each message
MESSAGE_CUT = 300
STRANGER_ATTEMPTS = 2  # to reach a server that has never been there


class Session:
    """The part of a client that lives in its event loop.

    After the budget has refused one request no other is sent, so that what a run asks does not
    depend on which of its questions happens to be the shortest.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        key: str,
        purse: Purse,
        rng: random.Random,
        open_window: OpenWindow = open_local,
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._price = endpoint.price or FREE
        self._purse = purse
        self._rng = rng
        self._sdk = connect(endpoint, key)
        self._expected = expected_errors()
        self._dialect = Dialect()
        self._throttle = Throttle(
            endpoint.concurrency,
            endpoint.requests_per_minute,
            endpoint.tokens_per_minute,
            name=endpoint.account,
            open_window=open_window,
        )
        self._in_flight = 0
        self._settled = asyncio.Condition()
        self._is_spent = False
        self._is_known = False

    async def close(self) -> None:
        """End the connections."""
        await self._throttle.close()
        await self._sdk.close()

    async def ask(self, request: ModelRequest) -> ModelReply:
        """One reply with as many answers as were asked for, however few the server gives at once.

        Fewer only when the budget ends in between.

        Raises:
            BudgetExhaustedError, ModelError, PromptTooLongError, ModelRefusedError
        """
        n = request.sampling.n
        if n > 1 and not self._dialect.takes("n"):
            return await self._ask_singly(request)
        reply = await self._reply(request)
        while (missing := n - len(reply.answers)) > 0:
            try:
                more = await self._reply(_some(request, n - missing, missing))
            except BudgetExhaustedError:
                break
            reply = _joined(reply, more)
        return reply

    async def _ask_singly(self, request: ModelRequest) -> ModelReply:
        """The answers of as many requests, side by side."""
        singles = [_some(request, number, 1) for number in range(request.sampling.n)]
        ended = await asyncio.gather(*map(self._reply, singles), return_exceptions=True)
        errors = [result for result in ended if isinstance(result, BaseException)]
        replies = [result for result in ended if not isinstance(result, BaseException)]
        grave = [error for error in errors if not isinstance(error, BudgetExhaustedError)]
        if grave or not replies:
            raise (grave or errors)[0]
        return functools.reduce(_joined, replies)

    async def _reply(self, request: ModelRequest) -> ModelReply:
        """One reply, after as many attempts as the endpoint's policy allows."""
        bound = self._bound(request)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._throttle.turn(bound.tokens) as turn:
                    reply = await self._attempt(request, bound)
                    await turn.correct(reply.usage.total)
                    return reply
            except FailedAttemptError as failure:
                wait_s = self._wait_s(failure, attempt)
                if wait_s is None:
                    raise self._final(failure, attempt) from None
                if failure.is_overload:
                    self._throttle.pause(wait_s)
                if failure.is_lesson:
                    attempt -= 1
            await asyncio.sleep(wait_s)

    def _wait_s(self, failure: FailedAttemptError, attempt: int) -> float | None:
        """Seconds until the next attempt; None: there is none."""
        is_stranger = failure.charge is Charge.NOTHING and not self._is_known
        if failure.fatal or (is_stranger and attempt >= STRANGER_ATTEMPTS):
            return None
        return self._endpoint.retry.wait_s(attempt, failure.wait_s, self._rng)

    def _bound(self, request: ModelRequest) -> Usage:
        """The most that one attempt can use."""
        turns = 1 if isinstance(request.prompt, str) else 1 + len(request.prompt)
        prompt = request.prompt_bytes + TEMPLATE_TOKENS * turns
        completion = request.sampling.n * request.sampling.max_tokens
        most = TokenUsage(prompt=prompt, completion=completion)
        return Usage(calls=1, tokens=most.total, cost_usd=self._price.of(most))

    async def _attempt(self, request: ModelRequest, bound: Usage) -> ModelReply:
        await self._reserve(bound)
        # Unless we learn better, as when we are cancelled: whatever was reserved is gone.
        spent = bound
        try:
            reply = await self._send(request)
            if not reply.usage.is_estimate:
                spent = Usage(calls=1, tokens=reply.usage.total, cost_usd=reply.cost_usd)
            return replace(reply, cost_usd=spent.cost_usd)
        except FailedAttemptError as failure:
            spent = _charged(failure.charge, bound)
            raise
        finally:
            self._purse.settle(bound, spent)
            self._in_flight -= 1
            async with self._settled:
                self._settled.notify_all()

    async def _reserve(self, bound: Usage) -> None:
        """Reserve; what others have reserved but may not use is waited for."""
        while True:
            if self._is_spent:
                raise BudgetExhaustedError("the run's budget is used up")
            try:
                self._purse.reserve(bound)
            except BudgetExhaustedError:
                if not self._in_flight:
                    self._is_spent = True
                    raise
                async with self._settled:
                    await self._settled.wait()
            else:
                self._in_flight += 1
                return

    async def _send(self, request: ModelRequest) -> ModelReply:
        """Raises FailedAttemptError, whatever the other side does."""
        options = self._dialect.translate(
            make_options(request, self._endpoint.model, stream=self._endpoint.stream)
        )
        try:
            async with asyncio.timeout(self._endpoint.deadline_s):
                raw = await self._call(request, options)
            answers = tuple(self._without_key(answer) for answer in read_answers(raw))
        except self._expected as error:
            raise self._failure(error, options) from None
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            # The SDK trips over what is no object where one should be.
            raise FailedAttemptError(f"the reply makes no sense: {error}") from None
        self._is_known = True
        usage = read_usage(raw)
        if usage is not None and is_undercounted(usage, answers):
            self._dialect.refuse("n")  # one by one they are counted rightly
            usage = None
        usage = usage or estimate_usage(request, answers)
        return ModelReply(answers, usage, self._price.of(usage))

    async def _call(self, request: ModelRequest, options: dict[str, Any]) -> Any:
        if isinstance(request.prompt, str):
            raw = await self._sdk.completions.create(prompt=request.prompt, **options)
        else:
            messages: Any = [{"role": m.role.value, "content": m.content} for m in request.prompt]
            raw = await self._sdk.chat.completions.create(messages=messages, **options)
        return await assemble(raw) if self._endpoint.stream else raw

    def _failure(self, error: Exception, options: dict[str, Any]) -> FailedAttemptError:
        failure = explain(error, self._endpoint.timeout_s)
        self._is_known = self._is_known or failure.charge is not Charge.NOTHING
        refused = refused_parameter(error)
        if (
            failure.fatal is ModelError
            and refused is not None
            and self._dialect.learn(options, *refused)
        ):
            return FailedAttemptError(str(failure), failure.charge, wait_s=0.0, is_lesson=True)
        return failure

    def _without_key(self, answer: Answer) -> Answer:
        """Servers have been seen to repeat what they were sent."""
        if self._key == NO_KEY or self._key not in answer.text:
            return answer
        return replace(answer, text=answer.text.replace(self._key, "[key]"))

    def _final(self, failure: FailedAttemptError, attempts: int) -> Exception:
        """What the run hears, in one sentence and without the key."""
        kind = failure.fatal or ModelError
        times = "" if attempts == 1 else f" after {attempts} attempts"
        said = " ".join(str(failure).split())
        if self._key != NO_KEY:
            said = said.replace(self._key, "[key]")
        where = "" if self._endpoint.base_url is None else f" at {self._endpoint.base_url}"
        what = "is refused" if kind is ModelRefusedError else "gives no reply"
        return kind(f"the model {self._endpoint.model}{where} {what}{times}: {said[:MESSAGE_CUT]}")


def _charged(charge: Charge, bound: Usage) -> Usage:
    amounts = {Charge.NOTHING: Usage(), Charge.CALL: Usage(calls=1), Charge.ALL: bound}
    return amounts[charge]


def _some(request: ModelRequest, done: int, n: int) -> ModelRequest:
    """The request for `n` answers after the first `done`, which must be others."""
    sampling = request.sampling
    seed = None if sampling.seed is None else (sampling.seed + done) % (1 << 31)
    return replace(request, sampling=replace(sampling, n=n, seed=seed))


def _joined(first: ModelReply, second: ModelReply) -> ModelReply:
    one, two = first.usage, second.usage
    usage = TokenUsage(
        one.prompt + two.prompt,
        one.completion + two.completion,
        one.cached + two.cached,
        one.is_estimate or two.is_estimate,
    )
    return ModelReply(first.answers + second.answers, usage, first.cost_usd + second.cost_usd)
