"""Posts to a URL that a user named: to the address that was looked at, without redirects."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from web.intake.addresses import Destination

TIMEOUT_S = 10.0


def post(place: Destination, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer, whose body nobody reads.

    Raises:
        OSError, http.client.HTTPException: when there was none.
    """
    connection = _Pinned(place)
    try:
        parts = urlsplit(place.url)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever the host's name means by now."""

    def __init__(self, place: Destination) -> None:
        super().__init__(place.host, place.port, timeout=TIMEOUT_S)
        self._place = place

    def connect(self) -> None:
        address = (self._place.address, self._place.port)
        self.sock = socket.create_connection(address, timeout=TIMEOUT_S)
        if self._place.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._place.host)
