"""Who makes a request, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token is good for; each one includes those before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    @property
    def includes(self) -> tuple[Scope, ...]:
        """The scopes that this one grants."""
        ranked = tuple(Scope)
        return ranked[: ranked.index(self) + 1]


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever makes a request: a user with a scope.

    `token_id` is None for the owner of a server that asks nobody. `session` is the secret of the
    browser's session, empty where a bearer token was sent.
    """

    user: str
    scope: Scope
    token_id: str | None = None
    session: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether the principal has the scope."""
        return scope in self.scope.includes

    @property
    def sees(self) -> str | None:
        """Whose runs the principal sees; None: everybody's."""
        return None if self.may(Scope.ADMIN) else self.user


OWNER = Principal("local", Scope.ADMIN)
"""Whoever reaches a server that asks nobody."""
