"""Hundreds of requests to a server with every fault at once: nothing lost, no cap overshot."""

from __future__ import annotations

import time
from typing import Any

import pytest

from apr.core.errors import BudgetExhaustedError
from apr.core.model import ModelReply
from apr.core.run import Budget
from apr.llm.client import OpenAIClient
from apr.llm.endpoint import Endpoint
from apr.llm.prices import Price
from apr.llm.retry import RetryPolicy
from apr.search.budget import BudgetMeter
from support.model_storm import (
    FREE_FAULTS,
    LOST,
    NEVER_READ,
    Storm,
    lost_attempts,
    misread,
    question,
)
from support.openai_server import serving

PATIENT = RetryPolicy(attempts=40, first_s=0.01, longest_s=0.05)


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


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_every_request_has_its_reply_and_every_token_is_accounted_for(is_stream: bool) -> None:
    storm = Storm(seed=5, is_stream=is_stream)
    purse = BudgetMeter(Budget(candidates=None), time.monotonic)
    with (
        serving(storm) as server,
        OpenAIClient(endpoint(server.base_url, storm), purse, seed=1) as client,
    ):
        replies = dict(enumerate(client.complete([question(number) for number in range(150)])))
    assert set(FREE_FAULTS + LOST) <= storm.faults.keys(), "every kind of fault took part"
    assert len(replies) == 150
    assert not misread(replies)
    # What was read counts to the token; what was lost counts with all that was reserved.
    lost, rest = lost_attempts(purse.usage, replies)
    assert rest == 0
    assert sum(storm.faults[kind] for kind in NEVER_READ) <= lost <= purse.usage.calls - 150
    assert purse.usage.tokens >= storm.charged.tokens
    assert purse.usage.cost_usd >= storm.charged.cost_usd
    # On a slow machine a call may be given up before the server has taken notice of it.
    assert purse.usage.calls >= len(server.requests)


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
