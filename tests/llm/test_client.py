"""The model client against a real HTTP server that fails in every way a server can."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from typing import Any

import pytest

from apr.core.errors import BadInputError, BudgetExhaustedError, ModelError, PromptTooLongError
from apr.core.model import Message, ModelRequest, Role, Sampling
from apr.core.run import Budget, Usage
from apr.llm.client import OpenAIClient
from apr.llm.endpoint import Endpoint
from apr.llm.prices import Price
from apr.llm.retry import RetryPolicy
from apr.search.budget import BudgetMeter
from support.openai_server import Reply, answer, serving

PRICE = Price(prompt=2.0, completion=8.0)
QUICK = RetryPolicy(attempts=4, first_s=0.01, longest_s=0.05)


def chat(text: str = "one two three", **sampling: Any) -> ModelRequest:
    options = {"max_tokens": 16} | sampling
    return ModelRequest((Message(Role.USER, text),), Sampling(**options))


def meter(**caps: Any) -> BudgetMeter:
    return BudgetMeter(Budget(candidates=None, **caps), time.monotonic)


def client(base_url: str, purse: BudgetMeter, **options: Any) -> OpenAIClient:
    options = {"price": PRICE, "retry": QUICK, "timeout_s": 5.0} | options
    return OpenAIClient(Endpoint("some-model", base_url, **options), purse)


def test_a_chat_is_answered_and_paid_for_to_the_token() -> None:
    purse = meter()
    with (
        serving(lambda _, r: answer(r, "four words are here")) as server,
        client(server.base_url, purse) as model,
    ):
        [reply] = model.complete([chat(n=2, temperature=0.3, seed=7, stop=("x",))])
    assert [a.text for a in reply.answers] == ["four words are here"] * 2
    assert (reply.usage.prompt, reply.usage.completion) == (3, 8)
    assert reply.cost_usd == pytest.approx((3 * 2 + 8 * 8) / 1e6)
    assert purse.usage.tokens == 11
    assert purse.usage.calls == 1
    assert purse.usage.cost_usd == pytest.approx(reply.cost_usd)
    [asked] = server.requests
    assert asked["temperature"] == 0.3
    assert asked["seed"] == 7
    assert asked["stop"] == ["x"]
    assert "top_p" not in asked


def test_a_text_is_continued_through_the_completions_endpoint() -> None:
    with (
        serving(lambda _, r: answer(r, "rest")) as server,
        client(server.base_url, meter()) as model,
    ):
        [reply] = model.complete([ModelRequest("def f(", Sampling(max_tokens=4))])
    assert server.requests[0]["prompt"] == "def f("
    assert reply.answers[0].text == "rest"


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=500, body={"error": {"message": "broken"}}),
        Reply(status=503, body=b"<html>busy</html>", headers={"Content-Type": "text/html"}),
        Reply(
            status=429, body={"error": {"message": "slow down"}}, headers={"Retry-After": "0.05"}
        ),
        Reply(body={"id": "x", "choices": [{"message": {"content": "cut"}}]}, cut=20),
        Reply(body=b"this is no JSON"),
        Reply(body=b"<html>proxy</html>", headers={"Content-Type": "text/html"}),
        Reply(body={"object": "chat.completion", "choices": []}),
        Reply(body={"object": "chat.completion"}),
        Reply(body=[1, 2]),
        Reply(body={"late": True}, delay_s=1.0),
    ],
    ids=["500", "503", "429", "cut", "garbage", "html", "empty", "lacking", "list", "late"],
)
def test_a_passing_fault_is_outlived(fault: Reply) -> None:
    def script(number: int, request: dict[str, Any]) -> Reply:
        return fault if number == 0 else answer(request)

    with serving(script) as server, client(server.base_url, meter(), timeout_s=0.4) as model:
        [reply] = model.complete([chat()])
    assert reply.answers[0].text == "an answer"
    assert len(server.requests) == 2


def test_the_server_decides_how_long_to_wait() -> None:
    def script(number: int, request: dict[str, Any]) -> Reply:
        body = {"error": {"message": "slow down"}}
        return Reply(429, body, {"Retry-After": "0.5"}) if number == 0 else answer(request)

    with serving(script) as server, client(server.base_url, meter()) as model:
        model.complete([chat()])
    first, second = server.arrivals
    assert second - first >= 0.5


def test_one_overloaded_call_holds_back_the_others() -> None:
    def script(number: int, request: dict[str, Any]) -> Reply:
        body = {"error": {"message": "slow down"}}
        return Reply(429, body, {"Retry-After": "0.4"}) if number == 0 else answer(request)

    with serving(script) as server, client(server.base_url, meter(), concurrency=1) as model:
        model.complete([chat("a"), chat("b"), chat("c")])
    assert server.arrivals[1] - server.arrivals[0] >= 0.4


def test_a_lasting_fault_is_told_in_one_sentence_without_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    body = {"error": {"message": "no access for sk-very-secret\nat all"}}
    with (
        serving(lambda *_: Reply(401, body)) as server,
        client(server.base_url, meter()) as model,
        pytest.raises(ModelError) as caught,
    ):
        model.complete([chat()])
    assert len(server.requests) == 1
    assert server.keys == ["Bearer sk-very-secret"]
    assert "sk-very-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_it_gives_up_after_the_agreed_attempts() -> None:
    with (
        serving(lambda *_: Reply(500, {"error": {"message": "broken"}})) as server,
        client(server.base_url, meter()) as model,
        pytest.raises(ModelError, match="after 4 attempts"),
    ):
        model.complete([chat()])
    assert len(server.requests) == 4


def test_nobody_listening_is_a_model_error() -> None:
    with client("http://127.0.0.1:9/v1", meter()) as model, pytest.raises(ModelError):
        model.complete([chat()])


def test_a_prompt_beyond_the_context_is_told_apart() -> None:
    body = {"error": {"message": "This model's maximum context length is 8192 tokens"}}
    with (
        serving(lambda *_: Reply(400, body)) as server,
        client(server.base_url, meter()) as model,
        pytest.raises(PromptTooLongError),
    ):
        model.complete([chat()])


def test_without_a_key_only_other_servers_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BadInputError, match="OPENAI_API_KEY"):
        OpenAIClient(Endpoint("gpt-4o-mini"), meter())
    with serving(lambda _, r: answer(r)) as server, client(server.base_url, meter()) as model:
        model.complete([chat()])


def test_no_more_calls_at_once_than_allowed() -> None:
    def script(_: int, request: dict[str, Any]) -> Reply:
        reply = answer(request)
        reply.delay_s = 0.05
        return reply

    with serving(script) as server, client(server.base_url, meter(), concurrency=3) as model:
        replies = model.complete([chat(f"question {i}") for i in range(20)])
    assert len(replies) == 20
    assert server.most_at_once == 3


def test_requests_per_minute_are_kept() -> None:
    # A bucket of 120 a minute lets 120 through at once, and then one each half second.
    with (
        serving(lambda _, r: answer(r)) as server,
        client(server.base_url, meter(), requests_per_minute=120) as model,
    ):
        model.complete([chat(f"question {i}") for i in range(121)])
    assert server.arrivals[-1] - server.arrivals[0] >= 0.3


@pytest.mark.parametrize(
    ("cap", "limit", "level"),
    [
        ("calls", 7, lambda used: used.calls),
        ("tokens", 1000, lambda used: used.tokens),
        ("cost_usd", 0.003, lambda used: used.cost_usd),
    ],
)
def test_no_cap_is_overshot_by_concurrent_calls_on_a_bad_server(
    cap: str, limit: float, level: Any
) -> None:
    rng = random.Random(4)
    lock = threading.Lock()
    served = Usage()

    def script(_: int, request: dict[str, Any]) -> Reply:
        nonlocal served
        with lock:
            kind = rng.choice(["good", "good", "500", "garbage", "late", "cut"])
        if kind == "500":
            return Reply(500, {"error": {"message": "broken"}})
        if kind == "garbage":
            return Reply(body=b"?")
        reply = answer(request, "word " * rng.randrange(1, 16))
        usage = reply.body["usage"]
        with lock:  # what a vendor would charge for, whether we read it or not
            charged = (2 * usage["prompt_tokens"] + 8 * usage["completion_tokens"]) / 1e6
            served = Usage(
                tokens=served.tokens + usage["total_tokens"],
                calls=served.calls + 1,
                cost_usd=served.cost_usd + charged,
            )
        reply.delay_s = 1.0 if kind == "late" else 0.0
        reply.cut = 30 if kind == "cut" else None
        return reply

    purse = meter(**{cap: limit})
    with (
        serving(script) as server,
        client(server.base_url, purse, timeout_s=0.3) as model,
        pytest.raises(BudgetExhaustedError, match="budget"),
    ):
        for number in itertools.count():
            model.complete([chat(f"question {number} {i}", n=1) for i in range(4)])
    assert level(served) <= level(purse.usage) + 1e-12
    assert level(purse.usage) <= limit


def test_a_call_waits_for_what_others_only_reserved() -> None:
    # Reserved are 16 tokens of answer and more for the template, spent only 5 in all.
    purse = meter(tokens=400)
    with serving(lambda _, r: answer(r)) as server, client(server.base_url, purse) as model:
        replies = model.complete([chat() for _ in range(10)])
    assert len(replies) == 10
    assert purse.usage.tokens == 50


def test_what_does_not_fit_into_the_budget_is_not_sent() -> None:
    purse = meter(tokens=1000)
    with (
        serving(lambda _, r: answer(r)) as server,
        client(server.base_url, purse) as model,
        pytest.raises(BudgetExhaustedError),
    ):
        model.complete([chat(max_tokens=2000)])
    assert purse.usage.tokens == 0
    assert server.requests == []


def sse(*chunks: Any, end: bool = True) -> Reply:
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    body = (lines + ("data: [DONE]\n\n" if end else "")).encode()
    return Reply(body=body, headers={"Content-Type": "text/event-stream"})


def chunk(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_a_stream_is_assembled_by_answer() -> None:
    last = {"id": "x", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    script = [chunk(1, "b"), chunk(0, "a1 "), chunk(0, "a2", "length"), chunk(1, "", "stop"), last]
    with (
        serving(lambda *_: sse(*script)) as server,
        client(server.base_url, meter(), stream=True) as model,
    ):
        [reply] = model.complete([chat(n=2)])
    assert server.requests[0]["stream"] is True
    assert [(a.text, a.finish_reason) for a in reply.answers] == [
        ("a1 a2", "length"),
        ("b", "stop"),
    ]
    assert reply.usage.total == 7


@pytest.mark.parametrize(
    "broken",
    [sse(chunk(0, "half"), end=False), sse(chunk(0, "half")), Reply(body=b"data: {nonsense\n\n")],
    ids=["cut", "unfinished", "garbage"],
)
def test_half_a_stream_is_asked_for_again(broken: Reply) -> None:
    def script(number: int, _: dict[str, Any]) -> Reply:
        return broken if number == 0 else sse(chunk(0, "whole", "stop"))

    with serving(script) as server, client(server.base_url, meter(), stream=True) as model:
        [reply] = model.complete([chat()])
    assert reply.answers[0].text == "whole"
    assert reply.usage.is_estimate
    assert len(server.requests) == 2
