"""Makes and keeps tokens, for the API and the command line alike."""

from __future__ import annotations

from datetime import timedelta

from apr.storage.accounts import Accounts, Token
from web.security.principal import Scope
from web.security.tokens import NewToken, make_token

USER = r"^[a-z0-9][a-z0-9._-]{0,62}$"
"""What a user may be called."""


def add_token(
    accounts: Accounts, user: str, name: str, scope: Scope, days: int | None
) -> tuple[Token, NewToken]:
    """Make and keep a token that is valid for so many days; None: without end."""
    made, now = make_token(), accounts.now()
    token = Token(
        id=made.id,
        user=user,
        name=name,
        digest=made.digest,
        scope=scope.value,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    accounts.add_token(token)
    return token, made
