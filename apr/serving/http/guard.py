"""Lets only those in who know the token."""

from __future__ import annotations

import hmac

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from apr.serving.http.replies import failure

OPEN_PATHS = ("/health",)  # for whoever restarts the server, and has no secrets


class GuardMiddleware:
    """Refuses requests without `Authorization: Bearer <token>`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = failure("a valid bearer token is needed", "authentication_error")
                await JSONResponse(refusal, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)
