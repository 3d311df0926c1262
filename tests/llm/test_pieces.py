"""Prices, waiting times and the cache of replies."""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from apr.core.errors import BadInputError, ModelError
from apr.core.model import (
    Answer,
    Arrived,
    Message,
    ModelReply,
    ModelRequest,
    Role,
    Sampling,
    TokenUsage,
)
from apr.llm.cache import CachingClient
from apr.llm.endpoint import Endpoint
from apr.llm.limits import Throttle, Window
from apr.llm.prices import LIST_PRICES, Price, price_of, read_prices
from apr.llm.retry import RetryPolicy, retry_after_s


def test_the_longest_matching_name_has_the_price() -> None:
    assert price_of("gpt-4o-mini-2024-07-18", LIST_PRICES) == LIST_PRICES["gpt-4o-mini"]
    assert price_of("gpt-4o", LIST_PRICES) == LIST_PRICES["gpt-4o"]
    assert price_of("gpt-4oo", LIST_PRICES) is None
    assert price_of("llama", LIST_PRICES) is None


def test_cached_tokens_have_a_price_of_their_own() -> None:
    usage = TokenUsage(prompt=1_000_000, completion=500_000, cached=400_000)
    assert Price(2.0, 8.0, 0.5).of(usage) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
    assert Price(2.0, 8.0).of(usage) == pytest.approx(2 + 4)


def test_a_users_table_is_read(tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text('["my/model"]\nprompt = 1\ncompletion = 2.5\n', encoding="utf-8")
    assert read_prices(table) == {"my/model": Price(1.0, 2.5)}


@pytest.mark.parametrize(
    "text",
    [
        "[m]\nprompt = 1\n",
        "[m]\nprompt = 'x'\ncompletion = 1\n",
        "[m]\nprompt = -1\ncompletion = 1\n",
        "[m]\nother = 1\n",
        "m = 3\n",
        "[m",
    ],
)
def test_a_bad_table_is_one_sentence(text: str, tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=r"prices\.toml"):
        read_prices(table)


def test_waits_double_at_most_and_end() -> None:
    policy, rng = RetryPolicy(attempts=5, first_s=1.0, longest_s=3.0), random.Random(1)
    for attempt, longest in enumerate((1.0, 2.0, 3.0, 3.0), 1):
        waits = [policy.wait_s(attempt, None, rng) or 0.0 for _ in range(200)]
        assert max(waits) <= longest
        assert max(waits) > 0.9 * longest
        assert min(waits) < 0.1 * longest
    assert policy.wait_s(5, None, rng) is None
    asked = policy.wait_s(1, 7.0, rng)
    assert asked is not None
    assert 7.0 <= asked <= 7.7
    assert policy.wait_s(1, 1000.0, rng) is None


def test_retry_after_comes_as_seconds_milliseconds_or_date() -> None:
    assert retry_after_s({"retry-after": "3"}) == 3.0
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert retry_after_s({"retry-after": date}) == pytest.approx(60, abs=2)
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None


class Counting:
    """Answers each request with its number."""

    name = "m"

    def __init__(self) -> None:
        self.asked: list[ModelRequest] = []

    def complete(
        self, requests: Sequence[ModelRequest], arrived: Arrived | None = None
    ) -> list[ModelReply]:
        replies: list[ModelReply] = []
        for request in requests:
            if "fail" in str(request.prompt):
                raise ModelError("no reply")
            number = len(self.asked)
            self.asked.append(request)
            usage = TokenUsage(3, 2)
            replies.append(ModelReply((Answer(f"{number}"),), usage, cost_usd=0.5))
            if arrived is not None:
                arrived(len(replies) - 1, replies[-1])
        return replies


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.replies: dict[str, bytes] = {}

    def load_reply(self, key: str) -> bytes | None:
        return self.replies.get(key)

    def save_reply(self, key: str, reply: bytes) -> None:
        self.replies[key] = reply


def request(text: str, seed: int | None = 1, temperature: float = 0.9) -> ModelRequest:
    return ModelRequest((Message(Role.USER, text),), Sampling(temperature=temperature, seed=seed))


def test_the_same_question_costs_once() -> None:
    inner, kept = Counting(), Kept()
    first = CachingClient(inner, kept, "here").complete([request("a"), request("b"), request("a")])
    again = CachingClient(inner, kept, "here").complete([request("b"), request("a"), request("c")])
    assert [reply.answers[0].text for reply in first] == ["0", "1", "0"]
    assert [reply.answers[0].text for reply in again] == ["1", "0", "2"]
    assert [reply.from_cache for reply in again] == [True, True, False]
    assert [reply.cost_usd for reply in again] == [0.0, 0.0, 0.5]
    assert again[0].usage == TokenUsage(3, 2)
    assert len(inner.asked) == 3


def test_what_is_meant_to_differ_is_asked_again() -> None:
    inner, kept = Counting(), Kept()
    client = CachingClient(inner, kept, "here")
    client.complete([request("a", seed=None)])
    client.complete([request("a", seed=None)])
    client.complete([request("a", seed=1), request("a", seed=2)])
    CachingClient(inner, kept, "elsewhere").complete([request("a", seed=1)])
    assert len(inner.asked) == 5
    client.complete([request("a", seed=None, temperature=0.0)])
    client.complete([request("a", seed=None, temperature=0.0)])
    assert len(inner.asked) == 6


def test_what_arrived_before_an_error_is_not_asked_for_again() -> None:
    inner, kept = Counting(), Kept()
    with pytest.raises(ModelError):
        CachingClient(inner, kept, "here").complete([request("a"), request("fail")])
    [again] = CachingClient(inner, kept, "here").complete([request("a")])
    assert again.from_cache
    assert len(inner.asked) == 1


def test_a_reply_that_another_version_has_kept_is_asked_for_again() -> None:
    inner, kept = Counting(), Kept()
    client = CachingClient(inner, kept, "here")
    client.complete([request("a")])
    for strange in (b"?", b"[]", b'{"answers": [{"words": 1}], "usage": {}}'):
        kept.replies = dict.fromkeys(kept.replies, strange)
        assert not client.complete([request("a")])[0].from_cache
    assert (client.asked, client.answered) == (4, 0)


def admissions(limit: float, amounts: list[float], period_s: float) -> list[float]:
    """When each amount was let through."""

    async def run() -> list[float]:
        window = Window(limit, period_s)
        loop = asyncio.get_running_loop()
        return [(await window.take(amount), loop.time())[1] for amount in amounts]

    return asyncio.run(run())


def test_no_stretch_of_a_minute_holds_more_than_its_limit() -> None:
    times = admissions(5, [1.0] * 13, 0.2)
    for start in times:
        assert sum(start <= at < start + 0.2 for at in times) <= 5
    assert times[4] - times[0] < 0.2, "what there is room for does not wait"


def test_more_than_a_minute_allows_takes_the_whole_of_it() -> None:
    first, second, third = admissions(10, [100.0, 1.0, 9.0], 0.2)
    assert second - first >= 0.2
    assert third - second < 0.15


def test_tokens_that_were_not_used_make_room_for_others() -> None:
    async def run() -> float:
        throttle = Throttle(4, tokens_per_minute=200, minute_s=30.0)
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(5):
            async with throttle.turn(90) as turn:
                await turn.correct(10)
        return loop.time() - started

    assert asyncio.run(run()) < 10


@pytest.mark.parametrize(
    "url",
    ["ftp://x/v1", "127.0.0.1:80", "http://", "http://h:port/", "http://[::1", "", "http://h:0/"],
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(BadInputError, match="is no address"):
        Endpoint("m", url)


@pytest.mark.parametrize(
    "url", ["http://me:sk-1@h/v1", "https://h/v1?key=sk-1", "http://sk-1@h/", "http://h/#sk-1"]
)
def test_an_address_with_a_secret_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadInputError) as caught:
        Endpoint("m", url)
    assert "sk-1" not in str(caught.value)


def test_a_key_in_the_place_of_a_variable_is_refused_without_repeating_it() -> None:
    with pytest.raises(BadInputError) as caught:
        Endpoint("m", "http://h/v1", api_key_env="sk-proj-123")
    assert "123" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk 1", "sk-\u00e9", "sk-1\nHost: x"])
def test_a_key_that_no_header_can_carry_is_told_without_repeating_it(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", key)
    with pytest.raises(BadInputError, match="A_KEY") as caught:
        Endpoint("m", "http://h/v1", api_key_env="A_KEY").api_key()
    assert "sk" not in str(caught.value)
