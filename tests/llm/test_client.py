"""The model client against a real HTTP server that fails in every way a server can."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import threading
import time
from typing import Any

import pytest

from apr.core.errors import (
    BadInputError,
    BudgetExhaustedError,
    ModelError,
    ModelRefusedError,
    PromptTooLongError,
)
from apr.core.model import Message, ModelReply, ModelRequest, Role, Sampling
from apr.core.run import Budget
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
        Reply(body={"choices": [{"message": {"content": ["no text"]}}]}),
        Reply(body={"choices": [None], "usage": 3}),
        Reply(body={"late": True}, delay_s=1.0),
        Reply(body={"choices": []}, cut=0, reset=True),
        Reply(body={"choices": [{"message": {"content": "cut"}}]}, cut=20, reset=True),
        Reply(body=b" " * 2_000_000 + b"{}"),
        Reply(body=b"{" + b" " * 400, trickle_s=0.3),
    ],
    ids=[
        "500",
        "503",
        "429",
        "cut",
        "garbage",
        "html",
        "empty",
        "lacking",
        "list",
        "parts",
        "null",
        "late",
        "before",
        "within",
        "huge",
        "trickle",
    ],
)
def test_a_passing_fault_is_outlived(fault: Reply) -> None:
    def script(number: int, request: dict[str, Any]) -> Reply:
        return fault if number == 0 else answer(request)

    options = {"timeout_s": 0.4, "max_reply_bytes": 1_000_000}
    with serving(script) as server, client(server.base_url, meter(), **options) as model:
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
        pytest.raises(ModelRefusedError) as caught,
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


def test_nobody_listening_is_a_model_error_that_costs_nothing() -> None:
    purse = meter()
    with (
        client("http://127.0.0.1:9/v1", purse) as model,
        pytest.raises(ModelError, match="after 2 attempts: the connection failed"),
    ):
        model.complete([chat()])
    assert (purse.usage.calls, purse.usage.tokens) == (0, 0)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "bad key", ModelRefusedError),
        (404, "File Not Found", ModelRefusedError),
        (404, "The model `gtp-4` does not exist", ModelRefusedError),
        (400, "model 'x' not found", ModelRefusedError),
        (400, "no such thing", ModelError),
        (429, "You exceeded your current quota (insufficient_quota)", ModelError),
        (400, "This model's maximum context length is 8192 tokens", PromptTooLongError),
        (400, "the request exceeds the available context size", PromptTooLongError),
    ],
)
def test_what_cannot_be_mended_by_asking_again_is_not_asked_again(
    status: int, message: str, kind: type[Exception]
) -> None:
    with (
        serving(lambda *_: Reply(status, {"error": {"message": message}})) as server,
        client(server.base_url, meter()) as model,
        pytest.raises(kind) as caught,
    ):
        model.complete([chat()])
    assert type(caught.value) is kind
    assert len(server.requests) == 1


def refuse(request: dict[str, Any], name: str, message: str) -> Reply:
    """A server that knows no option of this name."""
    if name not in request:
        return answer(request)
    return Reply(400, {"error": {"message": message, "param": None}})


@pytest.mark.parametrize(
    ("name", "message", "sampling"),
    [
        ("seed", "Unrecognized request argument supplied: seed", {"seed": 3}),
        ("presence_penalty", "body.presence_penalty: Extra inputs", {"presence_penalty": 1.0}),
        ("temperature", "'temperature' does not support 0.95", {}),
        ("stop", "Unsupported parameter: 'stop'", {"stop": ("x",)}),
        ("max_tokens", "'max_tokens' is not supported: use 'max_completion_tokens'", {}),
    ],
)
def test_an_option_that_is_refused_is_left_out_from_then_on(
    name: str, message: str, sampling: dict[str, Any]
) -> None:
    with (
        serving(lambda _, r: refuse(r, name, message)) as server,
        client(server.base_url, meter()) as model,
    ):
        for _ in range(2):
            [reply] = model.complete([chat(**sampling)])
            assert reply.answers
    assert len(server.requests) == 3
    assert name not in server.requests[-1]
    assert "max_tokens" in server.requests[-1] or "max_completion_tokens" in server.requests[-1]


def test_a_server_that_gives_one_answer_at_a_time_is_asked_for_the_rest() -> None:
    purse = meter()
    with (
        serving(lambda number, r: answer({**r, "n": 1}, f"answer {number}")) as server,
        client(server.base_url, purse) as model,
    ):
        [reply] = model.complete([chat(n=3, seed=7)])
    assert [a.text for a in reply.answers] == ["answer 0", "answer 1", "answer 2"]
    assert [request.get("n", 1) for request in server.requests] == [3, 2, 1]
    assert len({request["seed"] for request in server.requests}) == 3
    assert reply.usage.total == purse.usage.tokens == 3 * (3 + 2)


def test_a_server_that_counts_one_of_several_answers_is_asked_one_by_one() -> None:
    def forgetful(_: int, request: dict[str, Any]) -> Reply:
        reply = answer(request, "return result or None")
        counted = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        return Reply(body={**reply.body, "usage": counted})

    purse = meter()
    with serving(forgetful) as server, client(server.base_url, purse) as model:
        [first] = model.complete([chat(n=4, seed=1)])
        before = purse.usage.tokens
        [second] = model.complete([chat(n=4, seed=9)])
    assert len(first.answers) == len(second.answers) == 4
    assert first.usage.is_estimate
    assert before == 13 + 2 * 64 + 4 * 16, "what was not counted costs all that was reserved"
    assert second.usage.total == purse.usage.tokens - before == 4 * 7
    assert [request.get("n", 1) for request in server.requests] == [4, 1, 1, 1, 1]
    assert {request["seed"] for request in server.requests} == {1, 9, 10, 11, 12}


USAGES = [
    ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, 5),
    ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 30}, 30),
    ({"prompt_tokens": 3, "completion_tokens": None}, 3),
    ({"prompt_tokens": -1, "completion_tokens": 2}, None),
    ({"prompt_tokens": "many", "completion_tokens": 2}, None),
    ({"prompt_tokens": True, "completion_tokens": 2}, None),
    ([1, 2], None),
    (None, None),
]


@pytest.mark.parametrize(("usage", "tokens"), USAGES)
def test_a_reply_without_a_true_count_costs_all_that_was_reserved(
    usage: Any, tokens: int | None
) -> None:
    def script(_: int, request: dict[str, Any]) -> Reply:
        reply = answer(request)
        return Reply(body={**reply.body, "usage": usage})

    purse = meter()
    with serving(script) as server, client(server.base_url, purse) as model:
        [reply] = model.complete([chat()])
    assert reply.usage.is_estimate is (tokens is None)
    assert model.uncounted == (tokens is None)
    bound = 13 + 2 * 64 + 16  # bytes of the prompt, its template, and max_tokens
    assert purse.usage.tokens == (bound if tokens is None else tokens)


def test_replies_are_told_of_even_when_another_request_fails() -> None:
    def script(_: int, request: dict[str, Any]) -> Reply:
        is_bad = "bad" in request["messages"][-1]["content"]
        return Reply(500, {"error": {"message": "broken"}}) if is_bad else answer(request)

    heard: dict[int, ModelReply] = {}
    with (
        serving(script) as server,
        client(server.base_url, meter()) as model,
        pytest.raises(ModelError, match="broken"),
    ):
        model.complete([chat("good"), chat("bad"), chat("good again")], heard.__setitem__)
    assert sorted(heard) == [0, 2]


def test_what_the_budget_still_allows_is_answered() -> None:
    with (
        serving(lambda _, r: answer(r)) as server,
        client(server.base_url, meter(calls=2), concurrency=1) as model,
    ):
        replies = model.complete([chat("a"), chat("b"), chat("c"), chat("d")])
        with pytest.raises(BudgetExhaustedError):
            model.complete([chat("e")])
    assert [len(reply.answers) for reply in replies] == [1, 1, 0, 0]
    assert len(server.requests) == 2


def test_a_request_that_is_given_up_counts_with_all_that_was_reserved() -> None:
    purse = meter()
    late = Reply(body={}, delay_s=1.0)
    with serving(lambda *_: late) as server, client(server.base_url, purse) as model:
        thread = threading.Thread(target=_swallow, args=(model,))
        thread.start()
        while not server.requests:
            time.sleep(0.01)
    thread.join()
    assert purse.usage.tokens == 13 + 2 * 64 + 16
    assert purse.usage.calls == 1


def _swallow(model: OpenAIClient) -> None:
    with contextlib.suppress(asyncio.CancelledError, concurrent.futures.CancelledError):
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
