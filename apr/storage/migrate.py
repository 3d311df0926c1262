"""Brings a database's schema to the revision of this code; Alembic is loaded only when needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from apr.core.errors import StoreError
from apr.storage.engine import describe, reading, translated_errors, writing
from apr.storage.tables import HEAD_REVISION

if TYPE_CHECKING:
    from alembic.config import Config

# Any constant that no other user of the same PostgreSQL database is likely to choose.
_LOCK_KEY = 0x6170_7221


def ensure_schema(engine: Engine) -> None:
    """Migrate to `HEAD_REVISION` unless it is reached; safe when several processes start at once.

    Raises:
        StoreError: when the database cannot be opened or written, or a newer apr has migrated it.
    """
    with reading(engine) as connection:
        revision = current_revision(connection)
    if revision == HEAD_REVISION:
        return
    _refuse_unknown(engine, revision)
    with migrating(engine) as connection:
        revision = current_revision(connection)
        _refuse_unknown(engine, revision)
        if revision != HEAD_REVISION:
            _upgrade(connection)


def current_revision(connection: Connection) -> str | None:
    """The revision written in the database; None for one without a schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar()
    return revision


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A write transaction that no other process migrates beside.

    SQLite changes a table by copying it, and dropping the old one would delete the rows that
    refer to it: foreign keys are off meanwhile and checked before the commit.
    """
    if engine.dialect.name == "sqlite":
        with _migrating_sqlite(engine) as connection:
            yield connection
        return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        yield connection


@contextmanager
def _migrating_sqlite(engine: Engine) -> Iterator[Connection]:
    with translated_errors(engine.url), engine.connect() as connection:
        raw = connection.connection
        raw.cursor().execute("PRAGMA foreign_keys = OFF")
        try:
            writer = connection.execution_options(apr_write=True)
            with writer.begin():
                yield writer
                _check_foreign_keys(writer)
        finally:
            raw.cursor().execute("PRAGMA foreign_keys = ON")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise StoreError(
            f"migrating {describe(connection.engine.url)} would leave a row of table {broken[0]}"
            f" without its {broken[2]}: nothing was changed, please report this"
        )


def _refuse_unknown(engine: Engine, revision: str | None) -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(make_config())
    if revision is not None and revision not in {s.revision for s in scripts.walk_revisions()}:
        raise StoreError(
            f"{describe(engine.url)} has schema revision {revision}, which this version of apr"
            " does not know: upgrade apr or set APR_DATABASE_URL to another database"
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = make_config()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD_REVISION)


def make_config() -> Config:
    """Alembic's configuration, naming the folder of the migration scripts."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def scripts_folder() -> Path:
    """Inside the package when installed from a wheel, beside it in a checkout."""
    storage = Path(__file__).resolve().parent
    for folder in (storage / "migrations", storage.parents[1] / "alembic"):
        if (folder / "env.py").is_file():
            return folder
    raise StoreError(f"the migration scripts are missing from {storage}: install apr again")
