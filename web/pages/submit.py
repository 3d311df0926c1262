"""The form that starts a run."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
