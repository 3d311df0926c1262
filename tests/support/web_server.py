"""A web server on a port of its own, in a thread, with tokens for several users."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from apr.serving.http.run import listen
from apr.settings import AppSettings
from apr.storage.accounts import Accounts
from web.app import create_app
from web.security.issue import add_token
from web.security.principal import Scope
from web.server import impatient
from web.settings import WebSettings
from web.site import Site


@dataclass
class WebServer:
    """A running server: its address, its parts, and a client for each token."""

    url: str
    site: Site
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def accounts(self) -> Accounts:
        return self.site.accounts

    def token(self, user: str, scope: Scope = Scope.SUBMIT) -> str:
        """A token of the user."""
        key = f"{user}-{scope}"
        if key not in self.tokens:
            self.tokens[key] = add_token(self.accounts, user, "", scope, 1)[1].text
        return self.tokens[key]

    def client(self, user: str | None, scope: Scope = Scope.SUBMIT) -> httpx.Client:
        """A client that asks as the user, or as nobody."""
        headers = {"Authorization": f"Bearer {self.token(user, scope)}"} if user else {}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30)


@contextmanager
def web_server(folder: Path, **settings: Any) -> Iterator[WebServer]:
    """Serve until the block ends; without runs being executed unless the settings say so."""
    values = {"runs_at_once": 0, "requests_per_second": 0.0} | settings
    chosen = WebSettings(port=0, **values)
    app = create_app(chosen, AppSettings(data_dir=folder / "data", database_url=None))
    listener = listen(chosen.host, 0)
    config = uvicorn.Config(
        app,
        log_level="error",
        http=impatient(chosen.header_timeout_s),
        proxy_headers=False,
        timeout_keep_alive=2,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        thread.join(0.02)
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield WebServer(url, app.state.site, folder)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
