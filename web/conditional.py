"""ETags: whoever has the same answer already is told so instead of being sent it again."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Conditional:
    """Gives every whole answer to a GET an ETag, and answers 304 to whoever names it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get("if-none-match", "")
        await self._app(scope, receive, _Tagger(send, wanted))


class _Tagger:
    """Holds a whole answer back until its ETag is known; a stream passes through."""

    def __init__(self, send: Send, wanted: str) -> None:
        self._send = send
        self._wanted = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_whole(message):
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await self._send(message)
            return
        body = message.get("body", b"")
        if message.get("more_body", False):  # it is a stream after all
            await self._send(start)
            await self._send(message)
            return
        await self._send_tagged(start, body)

    async def _send_tagged(self, start: Message, body: bytes) -> None:
        headers = MutableHeaders(scope=start)
        tag = headers.get("etag") or f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers["ETag"] = tag
        if tag in self._wanted or "*" in self._wanted:
            start, body = {**start, "status": 304}, b""
            headers = MutableHeaders(scope=start)
            for name in ("content-length", "content-type"):
                del headers[name]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _is_whole(message: Message) -> bool:
    return message["status"] == 200 and "content-length" in Headers(scope=message)
