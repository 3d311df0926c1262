"""From a view to a page: the templates, what they may call, and how foreign text gets in."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from apr.core.report import Verdict
from web.errors import Problem
from web.pages import words
from web.pages.benchmarks_view import interval
from web.pages.meanings import OUTCOME_MARKS, STATUS_MARKS, VERDICT_MARKS
from web.pages.static import asset
from web.security.access import csrf_token, page_principal
from web.security.principal import Principal

TEMPLATES = Path(__file__).parents[1] / "templates"


def render(
    request: Request, template: str, principal: Principal | None, *, status: int = 200, **view: Any
) -> HTMLResponse:
    """The page of a template."""
    site = getattr(request.app.state, "site", None)
    text = (
        _environment()
        .get_template(template)
        .render(
            principal=principal,
            csrf="" if principal is None or site is None else csrf_token(site, principal),
            path=request.url.path,
            **view,
        )
    )
    return HTMLResponse(text, status)


def render_error(request: Request, problem: Problem) -> HTMLResponse:
    """The page of an error: what is wrong, and nothing of how the server works."""
    try:
        principal = page_principal(request)
    except Exception:  # noqa: BLE001 - whatever is broken, a page has to say so
        principal = None
    return render(request, "error.html", principal, status=problem.status, problem=problem)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": lambda moment: words.ago(moment, datetime.now(UTC)),
        "count": words.count,
        "duration": words.duration,
        "first_line": words.first_line,
        "interval": interval,
        "money": words.money,
        "one_line": words.one_line,
        "sentence": words.sentence,
        "shorten": words.shorten,
        "stamp": words.stamp,
    }
    environment.globals |= {
        "OUTCOME_MARKS": OUTCOME_MARKS,
        "STATUS_MARKS": STATUS_MARKS,
        "VERDICT_MARKS": VERDICT_MARKS,
        "asset": asset,
        "mark_of": mark_of,
    }
    return environment


def _printable(value: object) -> object:
    """Whatever a template shows, without characters that steer; it is escaped after that."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.safe_text(value)
    return value


def mark_of(verdict: str) -> str:
    """The mark of a verdict's name; a dot where there is none."""
    return VERDICT_MARKS[Verdict(verdict)] if verdict in tuple(Verdict) else "·"
