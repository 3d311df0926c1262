"""Idempotency keys: a request that is sent twice is answered twice, and done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, Response
from pydantic import BaseModel

from web.errors import problem
from web.security.principal import Principal
from web.site import Site

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Sent again with the same request within a day, it gives the same answer.",
    ),
]


def once(
    site: Site,
    principal: Principal,
    key: str | None,
    request: bytes,
    status: int,
    act: Callable[[], BaseModel],
) -> Response:
    """Answer a request, or say again what was answered to it.

    Raises:
        ProblemError: 422 when the key was used for another request, 409 when that one is still
            being answered.
    """
    if key is None:
        return _json(act(), status)
    digest = hashlib.sha256(request).hexdigest()
    known = site.replays.begin(principal.user, key, digest)
    if known is not None:
        if known.request != digest:
            raise problem(422, "key-reused", "the idempotency key was used for another request")
        if known.status is None:
            raise problem(409, "in-progress", "the same request is being answered", Retry_After="1")
        return Response(
            known.body,
            known.status,
            {"Idempotency-Replayed": "true"},
            media_type="application/json",
        )
    try:
        response = _json(act(), status)
    except BaseException:
        site.replays.abandon(principal.user, key)
        raise
    site.replays.finish(principal.user, key, status, bytes(response.body))
    return response


def _json(model: BaseModel, status: int) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")
