"""Projects: uploaded, cloned, copied from an allowed folder, or patched from another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from apr.storage.sources import Source
from web.api.answers import answers
from web.errors import not_found, problem
from web.intake.bounds import RefusedSourceError
from web.security.access import Reader, Submitter, audit
from web.security.principal import Principal
from web.site import Site, SiteOf

router = APIRouter(tags=["sources"])

SOURCE_ID = r"^src-[0-9a-f]{16}$"
Revision = Annotated[str, Field(max_length=200, examples=["main"])]
BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SourceOut(BaseModel):
    """A project that runs can be about."""

    source: str = Field(examples=["src-0123456789abcdef"])
    kind: Literal["archive", "bundle", "url", "path", "patch"]
    origin: str
    commit: str | None
    files: int
    size: int = Field(description="Bytes, as far as they were counted.")
    created_at: datetime


class SourceList(BaseModel):
    """Your projects, the newest first."""

    sources: list[SourceOut]


class UrlSource(BaseModel):
    """A repository that the server may clone."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["url"]
    url: str = Field(max_length=2000, examples=["https://git.example.org/team/project.git"])
    revision: Revision | None = None


class PathSource(BaseModel):
    """A folder of the server's machine, below one that is allowed."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["path"]
    path: str = Field(max_length=4000, examples=["/srv/projects/stockroom"])


class PatchSource(BaseModel):
    """Another of your projects with a unified diff applied."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["patch"]
    base: str = Field(pattern=SOURCE_ID, examples=["src-0123456789abcdef"])
    diff: str = Field(min_length=1)


AnySource = Annotated[UrlSource | PathSource | PatchSource, Field(discriminator="kind")]


@router.get("/sources", responses=answers(304), operation_id="listSources")
def list_sources(site: SiteOf, principal: Reader) -> SourceList:
    """Your projects."""
    found = site.sources.of(principal.sees)
    return SourceList(sources=[source_out(one) for one in found])


@router.post("/sources", status_code=201, responses=answers(413, 404), operation_id="addSource")
def add_source(site: SiteOf, principal: Submitter, body: AnySource, request: Request) -> SourceOut:
    """Take a project from a URL, a path, or another project and a patch."""
    if isinstance(body, UrlSource):
        source = site.desk.take_url(principal.user, body.url, body.revision)
    elif isinstance(body, PathSource):
        source = site.desk.take_path(principal.user, body.path)
    else:
        base = find_source(site, principal, body.base)
        diff = body.diff.encode("utf-8", "surrogatepass")
        source = site.desk.take_patch(principal.user, base, diff)
    audit(request, principal, "add-source", source.id, source.origin)
    return source_out(source)


@router.post(
    "/sources/archive",
    status_code=201,
    responses=answers(408, 413),
    openapi_extra=BYTES,
    operation_id="uploadArchive",
)
async def upload_archive(site: SiteOf, principal: Submitter, request: Request) -> SourceOut:
    """Take a project from a tar (plain, gzip, bzip2, xz) or zip archive, sent as the body."""
    return await _upload(
        request, site, principal, lambda file: site.desk.take_archive(principal.user, file)
    )


@router.post(
    "/sources/bundle",
    status_code=201,
    responses=answers(408, 413),
    openapi_extra=BYTES,
    operation_id="uploadBundle",
)
async def upload_bundle(
    site: SiteOf,
    principal: Submitter,
    request: Request,
    revision: Annotated[
        str | None, Query(max_length=200, description="Branch, tag or commit; default: HEAD.")
    ] = None,
) -> SourceOut:
    """Take a project from a git bundle, sent as the body."""
    return await _upload(
        request, site, principal, lambda file: site.desk.take_bundle(principal.user, file, revision)
    )


@router.delete(
    "/sources/{source_id}",
    status_code=204,
    responses=answers(404),
    operation_id="removeSource",
)
def remove_source(site: SiteOf, principal: Submitter, source_id: str, request: Request) -> None:
    """Forget a project that no run is about."""
    site.desk.remove(find_source(site, principal, source_id))
    audit(request, principal, "remove-source", source_id)


def find_source(site: Site, principal: Principal, source_id: str) -> Source:
    """The project of that id.

    Raises:
        ProblemError: 404 when there is none, or it is somebody else's.
    """
    source = site.sources.find(source_id, principal.sees)
    if source is None:
        raise not_found(f"source {source_id}")
    return source


def source_out(source: Source) -> SourceOut:
    """A project as JSON; its folder is the server's own business."""
    return SourceOut.model_validate(
        {
            "source": source.id,
            "kind": source.kind,
            "origin": source.origin,
            "commit": source.commit,
            "files": source.files,
            "size": source.size,
            "created_at": source.created_at,
        }
    )


async def _upload(
    request: Request, site: Site, principal: Principal, take: Callable[[Path], Source]
) -> SourceOut:
    async with _received(request, site) as file:
        source = await asyncio.to_thread(take, file)
    await asyncio.to_thread(audit, request, principal, "add-source", source.id, source.kind)
    return source_out(source)


@asynccontextmanager
async def _received(request: Request, site: Site) -> AsyncIterator[Path]:
    """The body in a file; the shield bounds its size and time."""
    with site.desk.receiving() as path:
        size = 0
        with path.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
        if not size:
            raise problem(422, "bad-input", "the body is empty: send the file in it")
        try:
            yield path
        except RefusedSourceError as error:
            raise problem(422, "refused-source", str(error)) from error
