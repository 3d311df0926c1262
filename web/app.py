"""The application: every part made once, every router in its place."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

from fastapi import FastAPI
from sqlalchemy import Engine

from apr import __version__
from apr.bootstrap import make_service, open_engine
from apr.core.ports import JobQueue, SubmissionStore
from apr.service import Service
from apr.settings import AppSettings
from apr.storage.accounts import Accounts
from apr.storage.catalog import RunCatalog
from apr.storage.sources import Replays, Sources
from apr.storage.store import SqlRunStore
from apr.storage.webhooks import Webhooks
from web.api import api_router
from web.conditional import Conditional
from web.errors import add_error_handlers
from web.events import EventHub
from web.hooks.relay import Relay
from web.intake.desk import Desk
from web.security.rate import Pace
from web.security.shield import Shield
from web.security.tokens import make_secret
from web.settings import WebSettings
from web.site import Site
from workers.deployment import make_queue
from workers.local import LocalQueue
from workers.reaper import Reaper

LOOK_FOR_LOST_EVERY_S = 2.0
ABOUT = "Submit programs with a failing test, follow the search for a patch, take its result."


def create_app(settings: WebSettings, installation: AppSettings | None = None) -> FastAPI:
    """The API and, where its package is, the dashboard.

    `installation` says which database and broker there are; None: as the environment has it.
    """
    installed = installation or AppSettings()

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with open_site(settings, installed) as site:
            app.state.site = site
            yield

    app = FastAPI(
        title="APR",
        version=__version__,
        description=ABOUT,
        lifespan=running,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    add_error_handlers(app)
    app.include_router(api_router)
    if importlib.util.find_spec("web.pages") is not None:
        importlib.import_module("web.pages").mount(app)
    app.add_middleware(Conditional)
    app.add_middleware(Shield, settings=settings)
    return app


def check_installation(installed: AppSettings) -> None:
    """Find out, before anything is served, what would keep the application from starting.

    Raises:
        StoreError: when the database cannot be opened or brought up to date.
        BadInputError: when there is a broker that cannot be used.
    """
    open_engine(installed).dispose()
    if installed.broker_url is not None:
        make_queue(installed)


@asynccontextmanager
async def open_site(settings: WebSettings, installed: AppSettings) -> AsyncIterator[Site]:
    """Open everything that requests share, and execute runs, until the block ends."""
    engine = await asyncio.to_thread(open_engine, installed)
    async with AsyncExitStack() as stack:
        stack.callback(engine.dispose)
        service = make_service(engine, installed, is_patient=False)
        queue = stack.enter_context(executing(service, settings, installed))
        site = make_site(engine, service, queue, settings, installed)
        relay = Relay(SqlRunStore(engine), site.webhooks, settings.allow_private_addresses)
        stack.enter_context(_beside(relay.run, "relay"))
        looking = asyncio.create_task(site.hub.run())
        stack.push_async_callback(_end, looking)
        yield site


def make_site(
    engine: Engine,
    service: Service,
    queue: JobQueue,
    settings: WebSettings,
    installed: AppSettings,
) -> Site:
    """The parts on an open database."""
    catalog, sources = RunCatalog(engine), Sources(engine)
    return Site(
        settings=settings,
        installation=installed,
        service=service,
        catalog=catalog,
        accounts=Accounts(engine),
        sources=sources,
        replays=Replays(engine),
        desk=Desk(sources, installed.data_dir / "sources", settings),
        webhooks=Webhooks(engine),
        queue=queue,
        hub=EventHub(
            service.store,
            catalog,
            most=settings.max_listeners,
            most_each=settings.max_listeners_each,
        ),
        wrong_tokens=Pace(settings.failures_per_minute / 60, settings.failures_per_minute),
        secret=make_secret(),
    )


@contextmanager
def executing(
    service: Service, settings: WebSettings, installed: AppSettings
) -> Iterator[JobQueue]:
    """The queue of workers where there is a broker; else one of this process, which executes."""
    if installed.broker_url is not None:
        yield make_queue(installed)
        return
    queue = LocalQueue(service, settings.runs_at_once)
    with _finding_lost(service.store, queue):
        queue.start()
        try:
            yield queue
        finally:
            queue.stop()


@contextmanager
def _finding_lost(store: SubmissionStore, queue: LocalQueue) -> Iterator[None]:
    """Take up what another process, or this one before it was restarted, has left waiting."""
    for submission in store.waiting():
        queue.submit(submission)
    with _beside(Reaper(store, queue, LOOK_FOR_LOST_EVERY_S).run, "reaper"):
        yield


@contextmanager
def _beside(work: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    """Have a thread work until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
