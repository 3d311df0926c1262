"""Serves the application; a client that sends its headers too slowly is not waited for."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apr.serving.http.run import listen, run_app
from web.settings import WebSettings

MOST_HEAD_BYTES = 64 * 1024


def serve(app: FastAPI, settings: WebSettings, tell: Callable[[str], None]) -> None:
    """Serve until a signal comes; `tell` gets the address once requests are answered.

    Raises:
        BadInputError: when the server would be open to others.
        EnvironmentUnusableError: when the address cannot be had.
    """
    settings.check()
    listener = listen(settings.host, settings.port)
    # What is loaded by now stays: looking through it again would double the time of a large page.
    gc.collect()
    gc.freeze()
    run_app(
        app,
        listener,
        tell,
        http=impatient(settings.header_timeout_s),
        proxy_headers=settings.is_https,
        server_header=False,
        backlog=2048,
    )


def impatient(header_timeout_s: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which hangs up on whoever takes too long to say what they want."""

    class ImpatientProtocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None
        _head_bytes = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
                self._expect()
            if self._deadline is not None:
                self._head_bytes += len(data)
                if self._head_bytes > MOST_HEAD_BYTES and b"\r\n\r\n" not in data[:MOST_HEAD_BYTES]:
                    self.transport.close()
                    return
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._forget()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _expect(self) -> None:
            self._head_bytes = 0
            self._deadline = self.loop.call_later(header_timeout_s, self.transport.close)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return ImpatientProtocol
