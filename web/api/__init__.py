"""The REST API, version 1: one router for each noun."""

from __future__ import annotations

from fastapi import APIRouter

from web.api import events, runs, session, sources, submission

api_router = APIRouter(prefix="/api/v1")
for _noun in (sources, submission, runs, events, session):
    api_router.include_router(_noun.router)
