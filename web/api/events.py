"""The events of a run: live, and from any number on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from web.api.answers import answers
from web.api.find import ReadRun
from web.errors import problem
from web.events import Topic, follow
from web.intake.bounds import BusyError
from web.security.access import Reader
from web.site import SiteOf

router = APIRouter(tags=["runs"])

STREAM = "text/event-stream"
EVENT = {
    "type": "object",
    "description": "One event; `data` is JSON with `at`, `kind` and what docs/events.md says.",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
EXAMPLE = 'id: 3\nevent: baseline\ndata: {"at": "…", "kind": "baseline", "failing": 1}\n\n'


@router.get(
    "/runs/{run_id}/events",
    responses={
        **answers(404),
        200: {
            "description": "Server-sent events; `end` is the last one of a run that has ended.",
            "content": {STREAM: {"schema": EVENT, "example": EXAMPLE}},
        },
    },
    response_class=StreamingResponse,
    operation_id="followRun",
)
async def follow_run(
    site: SiteOf,
    principal: Reader,
    run: ReadRun,
    last_event_id: Annotated[str, Header(pattern=r"^\d{0,9}$")] = "",
) -> StreamingResponse:
    """What happens in a run, as it happens; `Last-Event-ID` says what you have seen already."""
    stack = ExitStack()
    try:
        topic = stack.enter_context(site.hub.listening(run.id, principal.user))
    except BusyError as error:
        raise problem(429, "too-many-streams", str(error), Retry_After="5") from None
    return StreamingResponse(
        _closing(stack, topic, int(last_event_id or 0)),
        media_type=STREAM,
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )


async def _closing(stack: ExitStack, topic: Topic, after: int) -> AsyncIterator[str]:
    with stack:
        async for text in follow(topic, after):
            yield text
