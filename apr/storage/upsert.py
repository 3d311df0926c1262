"""INSERT … ON CONFLICT, which SQLite and PostgreSQL spell alike and SQLAlchemy does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from apr.storage.tables import Base


class _Inserts(Protocol):
    def insert(self, table: Table) -> postgresql.Insert: ...


_DIALECTS = {"sqlite": cast("_Inserts", sqlite), "postgresql": cast("_Inserts", postgresql)}


def insert(connection: Connection, row: type[Base]) -> postgresql.Insert:
    """An insert statement that knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    dialect = _DIALECTS[connection.dialect.name]
    return dialect.insert(cast("Table", row.__table__))


def upsert(
    connection: Connection,
    row: type[Base],
    values: Sequence[dict[str, Any]],
    update: Sequence[str] = (),
) -> None:
    """Insert rows in bulk; of rows whose key exists, replace only the columns in `update`."""
    if not values:
        return
    statement = insert(connection, row)
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=row.__table__.primary_key,
            set_={name: statement.excluded[name] for name in update},
        )
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement, values)
