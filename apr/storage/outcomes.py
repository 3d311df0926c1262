"""Verdicts kept beyond their run, within a bound: what was not used for longest is forgotten."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from apr.core.report import ValidationReport
from apr.storage import codec
from apr.storage.tables import OutcomeRow
from apr.storage.upsert import upsert

MAX_BYTES = 256 * 1024 * 1024
"""Of all kept verdicts together, compressed."""
KEPT_SHARE = 0.9
"""How much of the bound is still in use after it was overstepped."""
_AT_ONCE = 500  # keys in one statement: SQLite may allow no more than 999 parameters


def load_outcomes(connection: Connection, keys: Sequence[str]) -> dict[str, ValidationReport]:
    """The reports of the keys that are known."""
    found: dict[str, ValidationReport] = {}
    for some in _chunks(keys):
        query = select(OutcomeRow.key, OutcomeRow.document).where(OutcomeRow.key.in_(some))
        found.update((key, _unpack(document)) for key, document in connection.execute(query))
    return found


def touch_outcomes(connection: Connection, keys: Sequence[str], now: datetime) -> None:
    """Count the keys as used now, but for those that another process has its hands on."""
    for some in _chunks(keys):
        query = select(OutcomeRow.key).where(OutcomeRow.key.in_(some))
        mine = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
        connection.execute(update(OutcomeRow).where(OutcomeRow.key.in_(mine)).values(used_at=now))


def save_outcomes(
    connection: Connection, reports: Mapping[str, ValidationReport], now: datetime
) -> None:
    """Insert or replace verdicts, in the order of their keys so that no two writers deadlock."""
    documents = {key: _pack(reports[key]) for key in sorted(reports)}
    values = [
        {"key": key, "used_at": now, "size": len(document), "document": document}
        for key, document in documents.items()
    ]
    upsert(connection, OutcomeRow, values, ("used_at", "size", "document"))


def evict_outcomes(connection: Connection, max_bytes: int) -> None:
    """When the verdicts take more than the bound, delete those unused for longest."""
    total = connection.execute(select(func.sum(OutcomeRow.size))).scalar() or 0
    if total <= max_bytes:
        return
    newest = OutcomeRow.used_at.desc(), OutcomeRow.key
    running = select(OutcomeRow.key, func.sum(OutcomeRow.size).over(order_by=newest).label("bytes"))
    counted = running.subquery()
    old = select(counted.c.key).where(counted.c.bytes > max_bytes * KEPT_SHARE)
    connection.execute(delete(OutcomeRow).where(OutcomeRow.key.in_(old)))


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))


def _pack(report: ValidationReport) -> bytes:
    text = json.dumps(codec.encode_report(report), separators=(",", ":"), allow_nan=False)
    return zlib.compress(text.encode("ascii"), level=1)


def _unpack(document: bytes) -> ValidationReport:
    return codec.decode_report(json.loads(zlib.decompress(document)))
