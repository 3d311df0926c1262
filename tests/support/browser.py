"""A real Chromium, the system's own: what it loads, and what it complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH, PHONE, HEIGHT = 1280, 390, 900
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


def find_chromium() -> str | None:
    """The browser's program, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browsing() -> Iterator[Browser]:
    """The browser, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=list(ARGUMENTS), headless=True
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """A page with what it complained of, and what it loaded, in bytes of content."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    weight: int = 0

    def go(self, path: str) -> Page:
        """Open a path of the server; what was loaded is counted anew."""
        self.weight = 0
        self.page.goto(self.origin + path, wait_until="load")
        return self.page

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        element = "document.documentElement"
        return int(self.page.evaluate(f"{element}.scrollWidth - {element}.clientWidth"))


@contextmanager
def tab(browser: Browser, origin: str, **options: Any) -> Iterator[Tab]:
    """A new window with nothing remembered."""
    chosen = {"viewport": {"width": WIDTH, "height": HEIGHT}} | options
    context = browser.new_context(**chosen)
    context.set_default_timeout(30_000)
    opened = Tab(context.new_page(), origin)
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on(
        "console",
        lambda said: opened.complaints.append(said.text) if said.type == "error" else None,
    )
    opened.page.on("dialog", lambda dialog: (opened.complaints.append("dialog"), dialog.dismiss()))
    opened.page.on("response", lambda response: _count(opened, response))
    try:
        yield opened
    finally:
        context.close()


def _count(opened: Tab, response: Any) -> None:
    if not response.url.startswith((opened.origin, "data:")):
        opened.foreign.append(response.url)
    length = response.headers.get("content-length")
    opened.weight += int(length) if length else 0


def serious_violations(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, as `rule: element`."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": AXE_RULES}})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
