"""Listens, and serves until it is told to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from apr.core.errors import EnvironmentUnusableError

GRACE_S = 5


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes any that is free.

    Raises:
        EnvironmentUnusableError: when the address cannot be had.
    """
    try:
        # Of what is not known to be TCP, asyncio does not turn off Nagle's algorithm, and every
        # second piece of an answer would wait 40 ms for the client to acknowledge the first.
        family, kind, protocol = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][:3]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise EnvironmentUnusableError(f"cannot listen on {host}:{port}: {error}") from None
    return listener


def run_app(
    app: ASGIApp, listener: socket.socket, tell: Callable[[str], None], **options: Any
) -> None:
    """Serve until a signal comes; `tell` gets the address once requests are answered.

    `options` are uvicorn's.
    """
    # A client that leaves in the middle of a stream is no news, and asyncio warns of each piece.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S, **options
    )
    _Server(config, tell).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            self._tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")
