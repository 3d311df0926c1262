"""Hundreds of requests to a server with every fault at once: nothing lost, no cap overshot."""

from __future__ import annotations

import time
from typing import Any

import pytest

from apr.core.errors import BudgetExhaustedError
from apr.core.model import Message, ModelReply, ModelRequest, Role, Sampling
from apr.core.run import Budget
from apr.llm.client import OpenAIClient
from apr.llm.endpoint import Endpoint
from apr.llm.prices import Price
from apr.llm.retry import RetryPolicy
from apr.search.budget import BudgetMeter
from support.model_storm import FREE_FAULTS, LOST, Storm
from support.openai_server import serving

PATIENT = RetryPolicy(attempts=12, first_s=0.01, longest_s=0.05)


def question(number: int) -> ModelRequest:
    return ModelRequest((Message(Role.USER, f"q{number}"),), Sampling(max_tokens=12))


def endpoint(base_url: str, storm: Storm) -> Endpoint:
    return Endpoint(
        "m",
        base_url,
        price=Price(*storm.prices),
        concurrency=16,
        timeout_s=0.25,
        stream=storm.is_stream,
        retry=PATIENT,
        max_reply_bytes=200_000,
    )


def bound(request: ModelRequest) -> int:
    """What one attempt may cost at most, in tokens."""
    return request.prompt_bytes + 2 * 64 + request.sampling.max_tokens


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_every_request_has_its_reply_and_every_token_is_accounted_for(is_stream: bool) -> None:
    storm = Storm(seed=5, is_stream=is_stream)
    purse = BudgetMeter(Budget(candidates=None), time.monotonic)
    requests = [question(number) for number in range(150)]
    with (
        serving(storm) as server,
        OpenAIClient(endpoint(server.base_url, storm), purse, seed=1) as client,
    ):
        replies = client.complete(requests)
    assert set(FREE_FAULTS + LOST) <= storm.faults.keys(), "every kind of fault took part"
    for number, reply in enumerate(replies):
        [answer] = reply.answers
        assert answer.text.startswith(f"echo q{number} "), "nobody gets another one's reply"
    assert sum(reply.usage.total for reply in replies) == storm.told.tokens
    assert sum(reply.cost_usd for reply in replies) == pytest.approx(storm.told.cost_usd)
    # What was told counts to the token; what was lost counts with what had been reserved.
    lost = purse.usage.tokens - storm.told.tokens
    assert lost <= sum(storm.faults[kind] for kind in LOST) * bound(question(100))
    assert purse.usage.tokens >= storm.charged.tokens
    assert purse.usage.cost_usd >= storm.charged.cost_usd
    assert purse.usage.calls == len(server.requests)


@pytest.mark.parametrize(
    ("cap", "limit", "level"),
    [
        ("calls", 90, lambda used: used.calls),
        ("tokens", 6_000, lambda used: used.tokens),
        ("cost_usd", 0.03, lambda used: used.cost_usd),
    ],
)
def test_no_cap_is_overshot_by_the_servers_own_accounts(cap: str, limit: float, level: Any) -> None:
    storm = Storm(seed=6)
    caps: dict[str, Any] = {cap: limit}
    purse = BudgetMeter(Budget(candidates=None, **caps), time.monotonic)
    heard: dict[int, ModelReply] = {}
    with (
        serving(storm) as server,
        OpenAIClient(endpoint(server.base_url, storm), purse, seed=1) as client,
    ):
        replies = client.complete([question(n) for n in range(200)], heard.__setitem__)
        with pytest.raises(BudgetExhaustedError):
            client.complete([question(200)])
    # What the server has charged only ever grows, so that its end says it for every moment.
    assert 0 < level(storm.charged) <= level(purse.usage) <= limit
    answered = [number for number, reply in enumerate(replies) if reply.answers]
    assert answered == sorted(heard)
    assert 0 < len(answered) < 200
