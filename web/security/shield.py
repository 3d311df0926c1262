"""What every request passes first: known host, own origin, a bearable size, time and rate.

Pure ASGI: nothing here looks at a database, so refusing is cheap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.errors import Problem, problem_response
from web.security.headers import HEADERS
from web.security.rate import Pace
from web.settings import WebSettings

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
UPLOADS = ("/api/v1/sources/archive", "/api/v1/sources/bundle")
"""Where large bodies go; pages upload by forms, which say multipart."""


class TooLargeError(Exception):
    """A body is larger than allowed."""


class TooSlowError(Exception):
    """A body took longer to arrive than allowed."""


class Shield:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings
        self._names = frozenset(
            name.lower() for name in (*settings.public_names, *LOOPBACK_NAMES, settings.host)
        )
        self._pace = Pace(settings.requests_per_second, settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sender = _Sender(send, self._settings.is_https)
        refusal = self._refuse(scope, Headers(scope=scope))
        if refusal is not None:
            await problem_response(refusal, scope["path"])(scope, receive, sender)
            return
        body = _Body(receive, self._limit(scope), self._settings.body_timeout_s)
        try:
            await self._app(scope, body, sender)
        except (TooLargeError, TooSlowError) as error:
            if sender.has_begun:
                raise
            status, kind = (
                (413, "too-large") if isinstance(error, TooLargeError) else (408, "too-slow")
            )
            found = Problem(status, kind, str(error), headers={"Connection": "close"})
            await problem_response(found, scope["path"])(scope, receive, sender)

    def _refuse(self, scope: Scope, headers: Headers) -> Problem | None:
        if not self._knows(headers.getlist("host")):
            return Problem(421, "unknown-host", "this server is not reached under that name")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not self._is_from_here(headers):
            return Problem(403, "foreign-origin", "another site's page must not ask for this")
        wait_s = self._pace.take(scope["client"][0] if scope.get("client") else "unknown")
        if wait_s:
            after = str(int(wait_s) + 1)
            return Problem(429, "too-many-requests", "slow down", headers={"Retry-After": after})
        return _refuse_length(headers, self._limit(scope))

    def _knows(self, hosts: Sequence[str]) -> bool:
        return len(hosts) == 1 and _host_name(hosts[0]) in self._names

    def _is_from_here(self, headers: Headers) -> bool:
        """Whether no browser says that another site's page is behind the request."""
        if "authorization" in headers:  # which no page can add for another site
            return True
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc.lower() == headers["host"].lower()

    def _limit(self, scope: Scope) -> int:
        is_form = Headers(scope=scope).get("content-type", "").startswith("multipart/form-data")
        is_upload = scope["path"] in UPLOADS or (is_form and not scope["path"].startswith("/api/"))
        return self._settings.max_upload_bytes if is_upload else self._settings.max_body_bytes


def _host_name(host: str) -> str:
    name, _, port = host.lower().rpartition(":")
    return name if port.isdigit() else host.lower()


def _refuse_length(headers: Headers, limit: int) -> Problem | None:
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > limit:
        close = {"Connection": "close"}
        return Problem(413, "too-large", f"at most {limit:,} bytes are taken here", headers=close)
    return None


class _Body:
    """Receives a body that may be neither too large nor too slow."""

    def __init__(self, receive: Receive, limit: int, timeout_s: float) -> None:
        self._receive = receive
        self._limit = limit
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self._size = 0
        self._is_whole = False

    async def __call__(self) -> Message:
        if self._is_whole:  # what comes now is the end of the connection, whenever that may be
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise TooSlowError("the request took too long to arrive") from None
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise TooLargeError(f"at most {self._limit:,} bytes are taken here")
        self._is_whole = not message.get("more_body", False)
        return message


class _Sender:
    """Sends the headers that every response has."""

    def __init__(self, send: Send, is_https: bool) -> None:
        self._send = send
        self._is_https = is_https
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._is_https:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        await self._send(message)
