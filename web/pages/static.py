"""The pages' own style sheets, scripts and pictures, cached for ever under a name that changes."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Response

from web.errors import not_found

STATIC = Path(__file__).parents[1] / "static"
FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
router = APIRouter()


@router.get("/static/{version}/{name}")
def send_file(version: str, name: str) -> Response:
    """A file; one that has changed since the page was made has another address."""
    content = _files().get(name)
    if content is None:
        raise not_found(f"file {name}")
    cache = FOR_EVER if version == _version(content) else "no-cache"
    kind = _TYPES[Path(name).suffix]
    return Response(content, media_type=kind, headers={"Cache-Control": cache})


def asset(name: str) -> str:
    """The address of a file."""
    return f"/static/{_version(_files()[name])}/{name}"


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in _TYPES}


@lru_cache(maxsize=64)
def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
