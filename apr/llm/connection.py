"""Opens the SDK's connection to an endpoint, and bounds what may come back through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from apr.llm.endpoint import Endpoint
from apr.llm.faults import EndlessReplyError, http_library

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def connect(endpoint: Endpoint, key: str) -> AsyncOpenAI:
    """The SDK's client; nothing is sent yet."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    async def bound(response: Any) -> None:
        response.stream = _bounded(response.stream, endpoint.max_reply_bytes)

    return AsyncOpenAI(
        api_key=key,
        base_url=endpoint.base_url,
        timeout=endpoint.timeout_s,
        max_retries=0,
        # Packed replies could not be bounded by their size on the wire.
        default_headers={"Accept-Encoding": "identity"},
        http_client=DefaultAsyncHttpxClient(event_hooks={"response": [bound]}),
    )


def _bounded(stream: Any, limit: int) -> Any:
    """The stream, ended by an EndlessReplyError after `limit` bytes."""

    async def read(_: Any) -> AsyncIterator[bytes]:
        count = 0
        async for part in stream:
            count += len(part)
            if count > limit:
                raise EndlessReplyError(f"the reply is longer than {limit:,} bytes")
            yield part

    async def close(_: Any) -> None:
        await stream.aclose()

    base = http_library().AsyncByteStream
    return type("Bounded", (base,), {"__aiter__": read, "aclose": close})()
