"""Prices, waiting times and the cache of replies."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.core.model import Answer, Message, ModelReply, ModelRequest, Role, Sampling, TokenUsage
from apr.llm.cache import CachingClient
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

    def complete(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        start = len(self.asked)
        self.asked.extend(requests)
        usage = TokenUsage(3, 2)
        return [
            ModelReply((Answer(f"{start + n}"),), usage, cost_usd=0.5) for n in range(len(requests))
        ]


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
