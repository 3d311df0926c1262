"""Runs the migrations inside a transaction that apr has opened, or one of its own."""

from __future__ import annotations

import os
from typing import Any, Literal

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, TypeDecorator

from apr.storage.engine import make_engine
from apr.storage.migrate import migrating
from apr.storage.tables import Base
from apr.storage.web_tables import TokenRow  # noqa: F401 - with it come all tables of the web


def run(connection: Connection) -> None:
    """Run the requested commands on an open transaction, which the caller commits."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=render_item,
    )
    context.run_migrations()


def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write apr's column types as what they store, so that no migration depends on apr's code."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def run_by_hand() -> None:
    """What the `alembic` program does: the database is APR_DATABASE_URL."""
    url = os.environ.get("APR_DATABASE_URL")
    if not url:
        raise CommandError("set APR_DATABASE_URL to the database that should be migrated")
    engine = make_engine(url)
    try:
        with migrating(engine) as connection:
            run(connection)
    finally:
        engine.dispose()


if context.is_offline_mode():
    raise CommandError("migrations need a database to look at: leave out --sql")

if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    run_by_hand()
