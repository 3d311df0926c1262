"""Opens a database and turns what goes wrong with it into one sentence for the user."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from apr.core.errors import StoreError, StoreUnavailableError

BUSY_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10

_WRITE = "apr_write"

# No connection, no resources (memory, disk, connections), the server stops or starts, a standby,
# a deadlock or a serialization failure.
_PASSING_STATES = ("08", "53", "57P", "25006", "40")
_PASSING_SIGNS = ("connection", "disk is full", "no space left", "database is locked", "timeout")

_ADVICE = (
    ("unable to open database file", "check that the folder exists and that you may write to it"),
    ("disk is full", "free some space or set APR_DATABASE_URL to a database elsewhere"),
    ("no space left", "free some space on the database's disk"),
    ("readonly database", "make the file and its folder writable or use another database"),
    ("read-only transaction", "use a server that accepts writes"),
    ("not a database", "name another file, or move this one away to start a new database"),
    ("malformed", "restore a copy, or move the file away to start a new database"),
    ("database is locked", "another process has been writing for too long: try again"),
    ("disk i/o error", "check the disk and that the folder allows locking"),
    ("password authentication failed", "check the user and password in APR_DATABASE_URL"),
    ("does not exist", "create it first or correct APR_DATABASE_URL"),
    ("permission denied", "grant the user the right to create and write tables"),
    ("connection", "check that the server runs and accepts connections from here"),
)


def make_engine(url: str) -> Engine:
    """An engine for SQLite (with WAL, foreign keys and a patient lock) or PostgreSQL.

    The folder of an SQLite file is created. Nothing connects yet.

    Raises:
        StoreError: when the URL cannot be parsed or names another kind, its driver is
            absent, or its folder is refused.
    """
    parsed = _parse(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _make_sqlite_engine(parsed)
        return create_engine(parsed, json_serializer=_dump_json, **_server_options(parsed))
    except ImportError as error:
        raise StoreError(
            f"{describe(parsed)} needs the Python package {error.name}: pip install it"
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{describe(parsed)} cannot be used: {_reason(error)}") from error


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password, and so may the parser's own message.
        raise StoreError(
            "the database URL cannot be parsed: write it like sqlite:////folder/apr.db or"
            " postgresql://user:password@host/name"
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername.partition("+")[0] not in ("sqlite", "postgresql"):
        raise StoreError(
            f"{parsed.drivername} databases are not supported: set APR_DATABASE_URL to an SQLite"
            " or PostgreSQL URL"
        )
    return parsed


def _server_options(url: URL) -> dict[str, Any]:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        options["connect_args"] = {"connect_timeout": CONNECT_TIMEOUT_S}
    return options


def _make_sqlite_engine(url: URL) -> Engine:
    _create_folder(url)
    engine = create_engine(
        url, json_serializer=_dump_json, connect_args={"timeout": BUSY_TIMEOUT_S}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_folder(url: URL) -> None:
    path = url.database
    if not path or path == ":memory:" or path.startswith("file:"):
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder of {describe(url)} cannot be created ({error.strerror}):"
            " set APR_DATABASE_URL to a database elsewhere"
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Python must not begin transactions by itself: `_begin_sqlite` says which kind it is.
    connection.isolation_level = None
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = NORMAL")
        _enable_wal(cursor)


def _enable_wal(cursor: sqlite3.Cursor) -> None:
    """Switch to WAL, which the file remembers; SQLite does not wait for its lock by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns from reading to writing fails at once when another one
    # has written meanwhile, whatever the busy timeout: writers take the lock at the start.
    is_write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads; every database error rises as StoreError."""
    with translated_errors(engine.url), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; every database error rises as StoreError."""
    with translated_errors(engine.url), engine.connect() as connection:
        writer = connection.execution_options(**{_WRITE: True})
        with writer.begin():
            yield writer


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Raises StoreError for a database error: what was met, where, and what to try."""
    try:
        yield
    except (DBAPIError, InterfaceError, PoolTimeoutError) as error:
        kind = StoreUnavailableError if may_pass(error) else StoreError
        raise kind(explain(url, error)) from error


def may_pass(error: SQLAlchemyError) -> bool:
    """Whether it is the server's or the disk's state that is to blame, not what was asked."""
    if isinstance(error, PoolTimeoutError) or getattr(error, "connection_invalidated", False):
        return True
    cause = getattr(error, "orig", None)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_PASSING_STATES)
    reason = _reason(error).lower()
    return any(sign in reason for sign in _PASSING_SIGNS)


def explain(url: URL, error: SQLAlchemyError) -> str:
    """One sentence: which database, what it said, what to try."""
    reason = _reason(error)
    for sign, advice in _ADVICE:
        if sign in reason.lower():
            return f"{describe(url)} failed ({reason}): {advice}"
    return f"{describe(url)} failed ({reason})"


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0].strip().rstrip(":.") if lines else type(cause).__name__


def describe(url: URL) -> str:
    """The database's name for a message: never its password."""
    if url.get_backend_name() == "sqlite":
        return f"the database {url.database or ':memory:'}"
    # A password may also stand in the query.
    return f"the database {url.set(query={}).render_as_string(hide_password=True)}"


_dump_json = partial(json.dumps, separators=(",", ":"), allow_nan=False)
