"""API tokens: how they are made, and what of them is kept.

A token is `apr_ID_SECRET`. The secret has 256 random bits, so a plain SHA-256 of it is as hard to
turn back as any slow hash; the database never holds the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

PREFIX = "apr"
_FORM = re.compile(r"apr_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token in the one moment in which it is known; `text` is for its owner."""

    id: str
    text: str
    digest: str


def make_token() -> NewToken:
    """A token that nobody can guess."""
    identity, secret = secrets.token_hex(6), make_secret()
    return NewToken(identity, f"{PREFIX}_{identity}_{secret}", digest(secret))


def make_secret() -> str:
    """256 random bits, as 43 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(32)


def parse_token(text: str) -> tuple[str, str] | None:
    """The id and the digest of the secret; None for what cannot be a token."""
    match = _FORM.fullmatch(text)
    return None if match is None else (match[1], digest(match[2]))


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare digests in a time that tells nothing."""
    return hmac.compare_digest(one, other)
