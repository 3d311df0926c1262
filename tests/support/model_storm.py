"""Every fault that a model's server can have, drawn at random, with the server's own accounts."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from apr.core.run import Usage
from support.openai_server import Reply, answer, streamed

BROKEN = {"error": {"message": "broken"}}
HTML = Reply(status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"})

FREE_FAULTS = ("429", "429 later", "500", "503")
"""Turned away: whoever counts fairly charges nothing for these."""

LOST = ("garbage", "html", "no choices", "cut", "reset", "reset before", "late", "trickle", "huge")
"""Made and charged for, but never read."""


@dataclass
class Storm:
    """A script for a server: a fault in so many of 100 requests, else an answer.

    `charged` is what the server has charged for, whether it was read or not, and `told` what it
    has told its clients in replies that they could read.
    """

    seed: int
    percent: int = 40
    slow_s: float = 1.0
    is_stream: bool = False
    prices: tuple[float, float] = (2.0, 8.0)
    charged: Usage = field(default_factory=Usage)
    told: Usage = field(default_factory=Usage)
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
        self._charge(made.body["usage"], is_told=kind == "answer")
        if kind == "answer":
            return streamed(made) if self.is_stream else made
        return self._lost(kind, made)

    def _charge(self, usage: dict[str, int], *, is_told: bool) -> None:
        prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        dollars = (prompt * self.prices[0] + completion * self.prices[1]) / 1e6
        spent = Usage(tokens=prompt + completion, calls=1, cost_usd=dollars)
        with self._lock:
            self.charged = _add(self.charged, spent)
            if is_told:
                self.told = _add(self.told, spent)

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


def _turned_away(kind: str) -> Reply:
    headers = {"Retry-After": "0.02"} if kind == "429 later" else {}
    return Reply(int(kind[:3]), BROKEN, headers)


def _add(left: Usage, right: Usage) -> Usage:
    return Usage(
        tokens=left.tokens + right.tokens,
        calls=left.calls + right.calls,
        cost_usd=left.cost_usd + right.cost_usd,
    )
