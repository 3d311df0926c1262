"""Reads the SDK's object as a reply; it is built unchecked, so nothing about it is certain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from apr.core.model import Answer, ModelRequest, TokenUsage

BYTES_PER_TOKEN = 3.5  # of code, for servers that do not count
MOST_BYTES_PER_TOKEN = 6.0  # no text as long as several answers has more on average


def read_answers(raw: Any) -> tuple[Answer, ...]:
    """The sampled texts, in the order of their indices.

    Raises:
        ValueError: when there is none, or one is no text.
    """
    choices = getattr(raw, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise ValueError("it holds no answer")
    return tuple(_answer(choice) for choice in choices)


def _answer(choice: Any) -> Answer:
    message = getattr(choice, "message", None)
    text = getattr(choice, "text", None) if message is None else getattr(message, "content", None)
    reason = getattr(choice, "finish_reason", None)
    if choice is None or not isinstance(text, str | None):
        raise ValueError("an answer in it is no text")
    return Answer(text or "", reason if isinstance(reason, str) else "stop")


def read_usage(raw: Any) -> TokenUsage | None:
    """The server's own count; None when it has none that could be true.

    Some leave the tokens of hidden reasoning out of the answer's and only into the total: all
    are charged for.
    """
    counted = getattr(raw, "usage", None)
    prompt = _count(counted, "prompt_tokens")
    if prompt is None:
        return None
    completion = _count(counted, "completion_tokens") or 0
    total = _count(counted, "total_tokens") or 0
    details = getattr(counted, "prompt_tokens_details", None)
    cached = min(_count(details, "cached_tokens") or 0, prompt)
    return TokenUsage(prompt, max(completion, total - prompt), cached)


def _count(counted: Any, name: str) -> int | None:
    value = getattr(counted, name, None)
    return value if type(value) is int and value >= 0 else None


def is_undercounted(usage: TokenUsage, answers: Sequence[Answer]) -> bool:
    """Whether several answers are too long for the count: some servers count only one of them."""
    written = sum(len(answer.text.encode("utf-8", "replace")) for answer in answers)
    return len(answers) > 1 and written > MOST_BYTES_PER_TOKEN * usage.completion


def estimate_usage(request: ModelRequest, answers: Sequence[Answer]) -> TokenUsage:
    """About what a reply took whose server does not count."""
    written = sum(len(answer.text.encode("utf-8", "replace")) for answer in answers)
    return TokenUsage(
        prompt=math.ceil(request.prompt_bytes / BYTES_PER_TOKEN),
        completion=math.ceil(written / BYTES_PER_TOKEN),
        is_estimate=True,
    )
