"""Every fault that a model's server can have, drawn at random, with the server's own accounts."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apr.core.model import Message, ModelReply, ModelRequest, Role, Sampling
from apr.core.run import Usage
from support.openai_server import Reply, answer, streamed, tokens

BROKEN = {"error": {"message": "broken"}}
HTML = Reply(status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"})

FREE_FAULTS = ("429", "429 later", "500", "503")
"""Turned away: whoever counts fairly charges nothing for these."""

LOST = ("garbage", "html", "no choices", "cut", "reset", "reset before", "late", "trickle", "huge")
"""Made and charged for, but not read."""

NEVER_READ = tuple(kind for kind in LOST if kind != "late")
"""A client that is late itself may still find a late reply."""


@dataclass
class Storm:
    """A script for a server: a fault in so many of 100 requests, else an answer.

    `charged` is what the server has charged for, whether it was read or not.
    """

    seed: int
    percent: int = 40
    slow_s: float = 1.0
    is_stream: bool = False
    prices: tuple[float, float] = (2.0, 8.0)
    charged: Usage = field(default_factory=Usage)
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._lock = threading.Lock()

    def __call__(self, number: int, request: dict[str, Any]) -> Reply:
        with self._lock:
            is_fault = self._rng.randrange(100) < self.percent
            kind = self._rng.choice(FREE_FAULTS + LOST) if is_fault else "answer"
            words = self._rng.randrange(1, request["max_tokens"] + 1)
            self.faults[kind] += 1
        if kind in FREE_FAULTS:
            return _turned_away(kind)
        question = request["messages"][-1]["content"]
        made = answer(request, f"echo {question} " + "word " * max(words - 3, 0))
        self._charge(made.body["usage"])
        if kind == "answer":
            return streamed(made) if self.is_stream else made
        return self._lost(kind, made)

    def _charge(self, usage: dict[str, int]) -> None:
        prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        dollars = (prompt * self.prices[0] + completion * self.prices[1]) / 1e6
        spent = Usage(tokens=prompt + completion, calls=1, cost_usd=dollars)
        with self._lock:
            self.charged = _add(self.charged, spent)

    def _lost(self, kind: str, made: Reply) -> Reply:
        body = streamed(made).body if self.is_stream else made.body
        headers = {"Content-Type": "text/event-stream"} if self.is_stream else {}
        losses = {
            "garbage": Reply(body=b"data: {no" if self.is_stream else b"{no", headers=headers),
            "html": HTML,
            "no choices": Reply(body={**made.body, "choices": []}),
            "cut": Reply(body=body, cut=60, headers=headers),
            "reset": Reply(body=body, cut=60, reset=True, headers=headers),
            "reset before": Reply(body=body, cut=0, reset=True),
            "late": Reply(body=body, delay_s=self.slow_s, headers=headers),
            "trickle": Reply(body=body, trickle_s=self.slow_s / 2, headers=headers),
            "huge": Reply(body=b" " * 300_000 + b"{}"),
        }
        return losses[kind]


def question(number: int) -> ModelRequest:
    """One of many that are equally long, so that each may cost as much as any other."""
    return ModelRequest((Message(Role.USER, f"q{number:05}"),), Sampling(max_tokens=12))


def most_tokens(request: ModelRequest) -> int:
    """What one attempt reserves: a token a byte, room for the template, and the answer."""
    return request.prompt_bytes + 2 * 64 + request.sampling.max_tokens


def misread(replies: Mapping[int, ModelReply]) -> list[int]:
    """The questions whose replies are not theirs, or not counted as the server counts."""
    wrong = []
    for number, reply in replies.items():
        [answer] = reply.answers
        is_own = answer.text.startswith(f"echo q{number:05} ")
        is_counted = reply.usage.prompt == 1 and reply.usage.completion == tokens(answer.text)
        if not (is_own and is_counted):
            wrong.append(number)
    return wrong


def lost_attempts(used: Usage, replies: Mapping[int, ModelReply]) -> tuple[int, int]:
    """How many attempts were counted with all that was reserved for them, and a rest of tokens.

    The rest is 0 when everything is accounted for to the token.
    """
    told = sum(reply.usage.total for reply in replies.values())
    return divmod(used.tokens - told, most_tokens(question(0)))


def _turned_away(kind: str) -> Reply:
    headers = {"Retry-After": "0.02"} if kind == "429 later" else {}
    return Reply(int(kind[:3]), BROKEN, headers)


def _add(left: Usage, right: Usage) -> Usage:
    return Usage(
        tokens=left.tokens + right.tokens,
        calls=left.calls + right.calls,
        cost_usd=left.cost_usd + right.cost_usd,
    )
