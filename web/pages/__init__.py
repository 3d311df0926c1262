"""The dashboard: pages made on the server, which need no script and are livelier with some."""

from __future__ import annotations

from fastapi import FastAPI

from web.pages import benchmarks, login, machines, parts, runs, static, submit
from web.pages.rendering import render_error

__all__ = ["mount"]


def mount(app: FastAPI) -> None:
    """Add the pages, their files, and the page that tells of an error."""
    for pages in (runs, submit, parts, benchmarks, machines, login, static):
        app.include_router(pages.router, include_in_schema=False)
    app.state.render_error = render_error
