"""The units of files, kept by the files' content: versions of a project share most of them.

What is kept can be made again at any time, so that nothing here may ever fail a run.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from apr.localization.issue.units import Unit, read_units

VERSION = 1
"""Of the format, and of what a unit is: raise it when either changes."""
MOST_FILES = 100_000
"""Files remembered; the oldest ones go first."""
WAIT_S = 10.0


def find_units(sources: Mapping[str, str], cache: Path | None) -> dict[str, tuple[Unit, ...]]:
    """The units of every file by path; those not in the cache file yet are added to it."""
    keys = {path: _key(path, text) for path, text in sources.items()}
    known = {} if cache is None else _load(cache, list(keys.values()))
    missing = {path: read_units(path, sources[path]) for path in sources if keys[path] not in known}
    if cache is not None and missing:
        _save(cache, {keys[path]: units for path, units in missing.items()})
    return {
        path: missing[path] if path in missing else _decode(known[keys[path]]) for path in sources
    }


def _key(path: str, text: str) -> str:
    suffix = path.rpartition(".")[2]
    content = f"{VERSION}\0{suffix}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()


def _load(cache: Path, keys: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with suppress(OSError, sqlite3.Error), _opened(cache) as database:
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= database.execute(
                f"SELECT key, units FROM files WHERE key IN ({marks})",
                part,
            )
    return found


def _save(cache: Path, units: Mapping[str, Sequence[Unit]]) -> None:
    rows = [(key, _encode(found)) for key, found in units.items()]
    with suppress(OSError, sqlite3.Error), _opened(cache) as database:
        database.executemany("INSERT OR IGNORE INTO files (key, units) VALUES (?, ?)", rows)
        database.execute(
            "DELETE FROM files WHERE rowid <= (SELECT max(rowid) FROM files) - ?", (MOST_FILES,)
        )
        database.commit()


@contextmanager
def _opened(cache: Path) -> Iterator[sqlite3.Connection]:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(cache, timeout=WAIT_S)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS files (key TEXT UNIQUE, units BLOB)")
        yield database


def _encode(units: Sequence[Unit]) -> bytes:
    rows = [[each.name, each.first, each.last, each.words] for each in units]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), level=1)


def _decode(data: bytes) -> tuple[Unit, ...]:
    return tuple(Unit(*row) for row in json.loads(zlib.decompress(data)))
