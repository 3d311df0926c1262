"""Tokens and the audit log, for admins; and your own tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from apr.storage.accounts import Token
from web.api.answers import answers
from web.errors import not_found
from web.security.access import Admin, Reader, audit
from web.security.issue import USER, add_token
from web.security.principal import Scope
from web.site import SiteOf

router = APIRouter(tags=["tokens"])

LONGEST_DAYS = 3650
TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", examples=["0123456789ab"])]


class TokenIn(BaseModel):
    """A token that is wanted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user": "team-a", "scope": "submit", "days": 90}]},
    )
    user: str = Field(pattern=USER)
    name: str = Field(default="", max_length=200, description="What it is for.")
    scope: Scope = Scope.SUBMIT
    days: int | None = Field(
        default=90, ge=1, le=LONGEST_DAYS, description="Valid for so long; null: without end."
    )


class TokenOut(BaseModel):
    """A token, of which only its id can be seen."""

    token: str
    user: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


class NewTokenOut(TokenOut):
    """A token with its text, which is shown once."""

    text: str


class TokenList(BaseModel):
    """Tokens, the newest first."""

    tokens: list[TokenOut]


class AuditOut(BaseModel):
    """What somebody did."""

    id: int
    at: datetime
    user: str
    address: str
    action: str
    target: str
    detail: str


class AuditList(BaseModel):
    """A page of the audit log, the newest first."""

    entries: list[AuditOut]


@router.get("/tokens", responses=answers(304), operation_id="listTokens")
def list_tokens(site: SiteOf, principal: Reader) -> TokenList:
    """Your tokens, or everybody's for an admin."""
    found = site.accounts.tokens(principal.sees)
    return TokenList(tokens=[TokenOut.model_validate(token_document(one)) for one in found])


@router.post("/tokens", status_code=201, responses=answers(), operation_id="createToken")
def create_token(site: SiteOf, principal: Admin, body: TokenIn, request: Request) -> NewTokenOut:
    """Make a token for somebody."""
    token, made = add_token(site.accounts, body.user, body.name, body.scope, body.days)
    audit(request, principal, "create-token", token.id, f"{token.user} {token.scope}")
    return NewTokenOut.model_validate({**token_document(token), "text": made.text})


@router.delete(
    "/tokens/{token_id}", status_code=204, responses=answers(404), operation_id="revokeToken"
)
def revoke_token(site: SiteOf, principal: Reader, token_id: TokenId, request: Request) -> None:
    """Revoke a token of yours, or any for an admin; sessions that were opened with it end."""
    if not site.accounts.revoke_token(token_id, principal.sees):
        raise not_found(f"token {token_id}")
    audit(request, principal, "revoke-token", token_id)


@router.get("/audit", responses=answers(304), operation_id="readAudit")
def read_audit(
    site: SiteOf,
    principal: Admin,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> AuditList:
    """Who did what."""
    found = site.accounts.audit(limit, before)
    return AuditList(
        entries=[
            AuditOut(
                id=number,
                at=entry.at,
                user=entry.user,
                address=entry.address,
                action=entry.action,
                target=entry.target,
                detail=entry.detail,
            )
            for number, entry in found
        ]
    )


def token_document(token: Token) -> dict[str, object]:
    """What may be shown of a token."""
    return {
        "token": token.id,
        "user": token.user,
        "name": token.name,
        "scope": token.scope,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "used_at": token.used_at,
    }
