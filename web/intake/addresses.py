"""Where the server may connect to when a user names a URL: never to this network by surprise."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from web.intake.bounds import RefusedSourceError

PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL and the one address at which it is to be reached, so that no later look-up differs."""

    url: str
    scheme: str
    host: str
    port: int
    address: str


def resolve(
    url: str, *, schemes: Sequence[str] = ("https",), allow_private: bool = False
) -> Destination:
    """The destination of a URL whose every address is public.

    Raises:
        RefusedSourceError: when the URL is of another scheme, carries a password, or its host is
            unknown or has an address that is not public.
    """
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in url):
        raise RefusedSourceError("the URL has characters that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedSourceError("the URL cannot be read") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise RefusedSourceError(f"the URL must begin with {' or '.join(schemes)}://")
    if "@" in parts.netloc:
        raise RefusedSourceError("the URL must not hold a user or password")
    chosen = port or PORTS[parts.scheme]
    found = _addresses(parts.hostname, chosen)
    if not allow_private and not all(is_public(address) for address in found):
        raise RefusedSourceError(f"{parts.hostname} is not a public host")
    return Destination(url, parts.scheme, parts.hostname, chosen, found[0])


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedSourceError(f"there is no host {host[:100]}") from None
    return [str(entry[4][0]) for entry in found]


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet, also behind IPv6's ways to say IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
