"""`apr token`: who may use the web server."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from apr.cli import options as o
from apr.cli.output import Format, emit, emit_json, emit_rich, err_console
from apr.core.errors import BadInputError

if TYPE_CHECKING:
    from apr.storage.accounts import Accounts, Token

app = typer.Typer(help="Make, list and revoke tokens for apr web.", no_args_is_help=True)
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The data folder of apr web.")
]
SCOPES = ("read", "submit", "admin")


@app.command("create")
def create(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose runs the token sees.")],
    scope: Annotated[
        str, typer.Option("--scope", help="read, submit (runs of one's own) or admin (all).")
    ] = "submit",
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=0, max=3650, help="0: valid without end.")
    ] = 90,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    data: DataOption = None,
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    from web.security.issue import USER, add_token
    from web.security.principal import Scope

    if scope not in SCOPES:
        raise BadInputError(f"--scope {scope}: use {', '.join(SCOPES)}")
    if not re.fullmatch(USER, user):
        raise BadInputError(f"{user!r} is no user: use small letters, digits, dot, dash")
    token, made = add_token(_accounts(data), user, name, Scope(scope), days or None)
    emit(made.text + "\n")
    until = "without end" if token.expires_at is None else f"until {token.expires_at:%Y-%m-%d}"
    err_console().print(
        f"token {token.id} of {user}: {scope}, valid {until}; it is not shown again"
    )


@app.command("list")
def list_tokens(form: o.FormatOption = Format.TEXT, data: DataOption = None) -> None:
    """List all tokens, the newest first."""
    accounts = _accounts(data)
    found = accounts.tokens()
    if form is Format.JSON:
        emit_json({"tokens": [_document(token) for token in found]})
        return
    table = Table(box=None, pad_edge=False)
    for title in ("token", "user", "scope", "state", "made", "ends", "used", "for"):
        table.add_column(title)
    for token in found:
        state = "valid" if token.is_valid(accounts.now()) else "ended"
        days = (_day(token.created_at), _day(token.expires_at), _day(token.used_at))
        table.add_row(token.id, token.user, token.scope, state, *days, token.name)
    emit_rich(table)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as list shows it.")],
    data: DataOption = None,
) -> None:
    """Revoke a token at once, with the sessions that were opened with it."""
    if not _accounts(data).revoke_token(token):
        raise BadInputError(f"there is no valid token {token}")
    err_console().print(f"token {token} is revoked")


def _accounts(data: Path | None) -> Accounts:
    from apr.bootstrap import open_engine
    from apr.settings import AppSettings
    from apr.storage.accounts import Accounts

    settings = AppSettings() if data is None else AppSettings(data_dir=data.resolve())
    return Accounts(open_engine(settings))


def _day(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d}"


def _document(token: Token) -> dict[str, str | None]:
    days = {"created_at": token.created_at, "expires_at": token.expires_at}
    days |= {"revoked_at": token.revoked_at, "used_at": token.used_at}
    told = {name: None if at is None else at.isoformat() for name, at in days.items()}
    return {"token": token.id, "user": token.user, "scope": token.scope, "name": token.name, **told}
