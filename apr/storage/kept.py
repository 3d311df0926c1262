"""Documents kept beyond their run, within a bound: what was not used for longest is forgotten."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, update

from apr.core.report import ValidationReport
from apr.storage import codec
from apr.storage.engine import reading, writing
from apr.storage.tables import BlobRow, OracleRow, OutcomeRow, ReplyRow
from apr.storage.upsert import insert, upsert

Table = type[OutcomeRow] | type[OracleRow] | type[ReplyRow]
MAX_BYTES = 256 * 1024 * 1024
"""Of all kept documents of a table together, compressed."""
KEPT_SHARE = 0.9
"""How much of the bound is still in use after it was overstepped."""
_AT_ONCE = 500  # keys in one statement: SQLite may allow no more than 999 parameters


def load(connection: Connection, table: Table, keys: Sequence[str]) -> dict[str, bytes]:
    """The documents of the keys that are known."""
    found: dict[str, bytes] = {}
    for some in _chunks(keys):
        query = select(table.key, table.document).where(table.key.in_(some))
        found.update((key, zlib.decompress(data)) for key, data in connection.execute(query))
    return found


def load_and_touch(
    engine: Engine, table: Table, keys: Sequence[str], now: datetime
) -> dict[str, bytes]:
    """The documents that are known; they count as used now."""
    with reading(engine) as connection:
        found = load(connection, table, keys)
    if found:
        with writing(engine) as connection:
            touch(connection, table, list(found), now)
    return found


def known_digests(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of the digests that artifacts have."""
    known: set[str] = set()
    for some in _chunks(digests):
        query = select(BlobRow.sha256).where(BlobRow.sha256.in_(some))
        known.update(connection.execute(query).scalars())
    return known


def touch(connection: Connection, table: Table, keys: Sequence[str], now: datetime) -> None:
    """Count the keys as used now, but for those that another process has its hands on."""
    for some in _chunks(keys):
        query = select(table.key).where(table.key.in_(some))
        mine = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
        connection.execute(update(table).where(table.key.in_(mine)).values(used_at=now))


def save(
    connection: Connection, table: Table, documents: Mapping[str, bytes], now: datetime
) -> None:
    """Insert or replace documents, in the order of their keys so that no two writers deadlock."""
    values = [_values(key, documents[key], now) for key in sorted(documents)]
    upsert(connection, table, values, ("used_at", "size", "document"))


def first(connection: Connection, table: Table, key: str, document: bytes, now: datetime) -> bytes:
    """The document kept under `key`, which is the given one if none was; its row is locked."""
    statement = insert(connection, table).values(_values(key, document, now))
    connection.execute(statement.on_conflict_do_nothing())
    query = select(table.document).where(table.key == key).with_for_update()
    return zlib.decompress(connection.execute(query).scalar_one())


def _values(key: str, document: bytes, now: datetime) -> dict[str, Any]:
    packed = zlib.compress(document, level=1)
    return {"key": key, "used_at": now, "size": len(packed), "document": packed}


def evict(connection: Connection, table: Table, max_bytes: int) -> None:
    """When the documents take more than the bound, delete those unused for longest."""
    total = connection.execute(select(func.sum(table.size))).scalar() or 0
    if total <= max_bytes:
        return
    newest = table.used_at.desc(), table.key
    running = select(table.key, func.sum(table.size).over(order_by=newest).label("bytes"))
    counted = running.subquery()
    old = select(counted.c.key).where(counted.c.bytes > max_bytes * KEPT_SHARE)
    connection.execute(delete(table).where(table.key.in_(old)))


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))


def encode_outcome(report: ValidationReport) -> bytes:
    """A verdict as JSON."""
    text = json.dumps(codec.encode_report(report), separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def decode_outcome(document: bytes) -> ValidationReport:
    """The inverse of `encode_outcome`."""
    return codec.decode_report(json.loads(document))
