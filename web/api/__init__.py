"""The REST API, version 1: one router for each noun."""

from __future__ import annotations

from fastapi import APIRouter

from web.api import (
    about,
    artifacts,
    behaviour,
    candidates,
    evaluations,
    events,
    runs,
    session,
    sources,
    submission,
    tokens,
    webhooks,
)

api_router = APIRouter(prefix="/api/v1")
for _noun in (
    about,
    sources,
    submission,
    runs,
    candidates,
    artifacts,
    behaviour,
    evaluations,
    events,
    webhooks,
    tokens,
    session,
):
    api_router.include_router(_noun.router)
