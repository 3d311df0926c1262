"""The form that starts a run: a project taken in, and what is wanted of the search."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from apr.core.errors import BadInputError
from apr.core.run import Budget
from apr.storage.sources import Source
from web.api.submission import BudgetIn, RunIn, submit
from web.pages.rendering import render
from web.pages.viewer import Actor, Viewer
from web.security.access import audit
from web.security.principal import Principal
from web.settings import MIB
from web.site import Site, SiteOf

router = APIRouter()

TEMPLATE = "template"
ARCHIVES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip", ".bundle")
Typed = Annotated[str, Form(max_length=4000)]
_FIELDS = {"cost_usd": "US dollars", "test_ids": "test"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed into the form, as it was typed."""

    path: Typed = ""
    url: Typed = ""
    test: Typed = ""
    test_id: Typed = ""
    generator: Typed = TEMPLATE
    patches: Typed = "1"
    candidates: Typed = str(Budget().candidates)
    seconds: Typed = "300"
    cost: Typed = ""
    seed: Typed = "0"


@router.get("/new")
def show_form(request: Request, site: SiteOf, principal: Viewer) -> Response:
    """The empty form."""
    return _form(request, site, principal, Wishes())


@router.post("/new")
def start(
    request: Request,
    site: SiteOf,
    principal: Actor,
    wishes: Annotated[Wishes, Depends(Wishes)],
    upload: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Take the project in and submit the run; what is wrong is said above the form."""
    try:
        asked = read_wishes(wishes)
        source, name = take_project(site, principal, wishes, upload)
        audit(request, principal, "add-source", source.id, source.origin)
        asked = asked.model_copy(update={"source": source.id, "name": name})
        run = submit(site, principal, asked)
    except BadInputError as error:
        return _form(request, site, principal, wishes, str(error))
    audit(request, principal, "submit", run.id, source.id)
    return RedirectResponse(f"/runs/{run.id}", 303)


def _form(
    request: Request, site: Site, principal: Principal, wishes: Wishes, problem: str = ""
) -> Response:
    settings = site.settings
    return render(
        request,
        "new.html",
        principal,
        status=422 if problem else 200,
        form=wishes,
        problem=problem and f"{problem[:1].upper()}{problem[1:]}.",
        places=[str(path) for path in settings.allowed_paths],
        clones=settings.allowed_urls,
        models=sorted(settings.models),
        most_mib=settings.max_upload_bytes // MIB,
    )


def read_wishes(wishes: Wishes) -> RunIn:
    """What the API would be asked, of a project that is still to be named.

    Raises:
        BadInputError: when a number is none, or out of its range.
    """
    fields = {name: value.strip() for name, value in asdict(wishes).items()}
    budget = {
        "candidates": fields["candidates"] or None,
        "seconds": fields["seconds"] or None,
        "cost_usd": fields["cost"] or None,
    }
    try:
        return RunIn(
            source="src-" + "0" * 16,
            test=fields["test"] or None,
            test_ids=fields["test_id"].split(),
            model=None if fields["generator"] == TEMPLATE else fields["generator"],
            budget=BudgetIn.model_validate(budget),
            patches=fields["patches"] or 1,
            seed=fields["seed"] or 0,
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "the form"
        raise BadInputError(f"{_FIELDS.get(name, name)}: {first['msg']}") from error


def take_project(
    site: Site, principal: Principal, wishes: Wishes, upload: UploadFile | None
) -> tuple[Source, str]:
    """The project that was named, copied here, and what to call it.

    Raises:
        BadInputError: when none was, or more than one, or it cannot be had.
    """
    path, url = wishes.path.strip(), wishes.url.strip()
    filename = upload.filename if upload is not None else ""
    given = [bool(path), bool(url), bool(filename)]
    if given.count(True) != 1:
        raise BadInputError("name one project: a folder, an archive or a repository")
    if path:
        return site.desk.take_path(principal.user, path), _last_part(path)
    if url:
        return site.desk.take_url(principal.user, url, None), _last_part(url)
    assert upload is not None
    with site.desk.receiving() as file:
        with file.open("wb") as target:
            shutil.copyfileobj(upload.file, target)
        name = _last_part(filename or "")
        if (filename or "").endswith(".bundle"):
            return site.desk.take_bundle(principal.user, file, None), name
        return site.desk.take_archive(principal.user, file), name


def _last_part(text: str) -> str:
    """What a path, a URL or a file is called, without the endings of archives."""
    name = PurePosixPath(text.replace("\\", "/").rstrip("/")).name[:200]
    ending = next((each for each in (*ARCHIVES, ".git") if name.endswith(each)), "")
    return name.removesuffix(ending) or "project"
