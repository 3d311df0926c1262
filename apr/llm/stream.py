"""Joins the chunks of a streamed reply into what the endpoint would have sent in one piece."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


async def assemble(stream: Any) -> Any:
    """A reply with `choices` and `usage`, whatever order the chunks come in.

    Raises:
        ValueError: when the stream ends before each of its answers has a finish reason.
    """
    texts: dict[int, list[str]] = {}
    reasons: dict[int, str] = {}
    usage = None
    async for chunk in stream:
        usage = getattr(chunk, "usage", None) or usage
        for choice in chunk.choices or ():
            delta = getattr(choice, "delta", None)
            text = choice.text if delta is None else delta.content
            texts.setdefault(choice.index, []).append(text or "")
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    if texts.keys() != reasons.keys():
        raise ValueError("the stream ended in the middle of an answer")
    choices = [
        SimpleNamespace(text="".join(texts[i]), finish_reason=reasons[i]) for i in sorted(texts)
    ]
    return SimpleNamespace(choices=choices, usage=usage)
