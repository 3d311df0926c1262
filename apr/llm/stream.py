"""Joins the chunks of a streamed reply into what the endpoint would have sent in one piece."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


async def assemble(stream: Any) -> Any:
    """A reply with `choices` and `usage`, whatever order the chunks come in.

    Raises:
        ValueError: when a chunk is none, or the stream ends before each of its answers has a
            finish reason.
    """
    texts: dict[int, list[str]] = {}
    reasons: dict[int, str] = {}
    usage = None
    async for chunk in stream:
        usage = getattr(chunk, "usage", None) or usage
        for choice in getattr(chunk, "choices", None) or ():
            index = getattr(choice, "index", None)
            if not isinstance(index, int):
                raise ValueError("a piece of the stream belongs to no answer")
            texts.setdefault(index, []).append(_text(choice))
            if choice.finish_reason:
                reasons[index] = choice.finish_reason
    if texts.keys() != reasons.keys():
        raise ValueError("the stream ended in the middle of an answer")
    choices = [
        SimpleNamespace(text="".join(texts[i]), finish_reason=reasons[i]) for i in sorted(texts)
    ]
    return SimpleNamespace(choices=choices, usage=usage)


def _text(choice: Any) -> str:
    delta = getattr(choice, "delta", None)
    text = getattr(choice, "text", None) if delta is None else getattr(delta, "content", None)
    if not isinstance(text, str | None):
        raise ValueError("a piece of the stream is no text")
    return text or ""
