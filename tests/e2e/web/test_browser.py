"""The dashboard in a real browser: started, watched, looked at, cancelled, resumed, and left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support.browser import PHONE, browsing, find_chromium, serious_violations, tab
from support.e2e import BUGS
from support.web_runs import Shown, fill
from support.web_server import WebServer, web_server
from web.security.principal import Scope

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")

HEAVIEST = 300_000
WAIT_MS = 120_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Asks nobody, and executes one run at a time."""
    folder = tmp_path_factory.mktemp("browser")
    with web_server(folder, runs_at_once=1, allowed_paths=(BUGS,)) as running:
        yield running


@pytest.fixture(scope="module")
def shown(server: WebServer) -> Shown:
    return fill(server.site.service.store, server.folder)


def test_a_run_is_started_from_the_form_and_watched_live(
    browser: Browser, server: WebServer
) -> None:
    with tab(browser, server.url) as opened:
        page = opened.go("/new")
        page.get_by_label("Folder on this server").fill(str(BUGS / "wrong_operator" / "subject"))
        page.get_by_role("button", name="Start the run").click()
        page.wait_for_url("**/runs/2*")
        page.evaluate("window.isTheSamePage = true")
        expect(page.locator("#verdict h2")).to_contain_text("plausible patch", timeout=WAIT_MS)
        expect(page.locator("#patches .added").first).to_be_visible()
        assert page.evaluate("window.isTheSamePage"), "the page was loaded anew"
        page.get_by_role("link", name="Search tree").click()
        page.locator(".dot.plausible").first.click()
        expect(page.locator("#pane")).to_contain_text("plausible")
        assert opened.complaints == []
        assert opened.foreign == []


def test_the_search_goes_on_with_an_answer_to_a_question(
    browser: Browser, server: WebServer, shown: Shown
) -> None:
    with tab(browser, server.url) as opened:
        page = opened.go(f"/runs/{shown.full}/questions")
        question = page.get_by_role("region", name="Question 1")
        expect(question.get_by_role("button")).to_have_count(1)  # no test of the other was proven
        question.get_by_role("button", name="This is right").click()
        page.wait_for_url(lambda url: url.rpartition("/")[2] not in ("questions", shown.full))
        expect(page.locator("#verdict h2")).to_contain_text("plausible patch", timeout=WAIT_MS)
        expect(page.locator("#tests")).to_contain_text("test_ten")
        expect(page.locator("#facts")).to_contain_text("test_answer_1.py")
        assert opened.complaints == []


def test_a_run_is_cancelled_and_resumed(browser: Browser, server: WebServer) -> None:
    with tab(browser, server.url) as opened:
        page = opened.go("/new")
        page.get_by_label("Folder on this server").fill(str(BUGS / "two_edits" / "subject"))
        page.get_by_label("Plausible patches to find").fill("20")
        page.get_by_role("button", name="Start the run").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#run-title")).to_contain_text("cancelled", timeout=WAIT_MS)
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#run-title")).to_contain_text("cancelled", timeout=WAIT_MS)


def paths(shown: Shown) -> list[str]:
    run = f"/runs/{shown.full}"
    parts = ("", "/tree", "/nodes/7", "/candidates", "/heat", "/questions", "/hunks", "/log")
    pages = ["/runs", "/new", "/benchmarks", "/machines", f"/runs/{shown.large}/tree"]
    return [*pages, *(run + part for part in parts)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_keep_nobody_out_and_run_no_foreign_script(
    browser: Browser, server: WebServer, shown: Shown, theme: str
) -> None:
    with tab(browser, server.url, color_scheme=theme) as opened:
        for path in paths(shown):
            page = opened.go(path)
            assert serious_violations(page) == [], path
            assert page.title() != "owned", path
            assert opened.weight <= HEAVIEST, path
        assert opened.complaints == []
        assert opened.foreign == []


def test_pages_fit_a_phone(browser: Browser, server: WebServer, shown: Shown) -> None:
    with tab(browser, server.url, viewport={"width": PHONE, "height": 800}) as opened:
        wide = {path: opened.overflow for path in paths(shown) if opened.go(path)}
        assert {path: over for path, over in wide.items() if over > 0} == {}


def test_the_keyboard_walks_through_the_tree(
    browser: Browser, server: WebServer, shown: Shown
) -> None:
    with tab(browser, server.url) as opened:
        page = opened.go(f"/runs/{shown.full}/tree")
        page.locator("#tree").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.dataset.parent") == "0"
        page.keyboard.press("Enter")
        expect(page.locator("#pane")).to_contain_text("Node")


def test_a_browser_logs_in_and_out(browser: Browser, tmp_path: Path) -> None:
    with (
        web_server(tmp_path, authenticate=True) as guarded,
        tab(browser, guarded.url) as opened,
    ):
        page = opened.go("/machines")
        page.get_by_label("Token").fill("apr_wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        page.get_by_label("Token").fill(guarded.token("ada", Scope.SUBMIT))
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/machines")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login*")
        opened.go("/runs")
        expect(page.get_by_label("Token")).to_be_visible()


def test_an_error_has_a_page_without_a_traceback(browser: Browser, server: WebServer) -> None:
    with tab(browser, server.url) as opened:
        page = opened.go("/runs/nothing-of-that-name")
        expect(page.locator("h1")).to_have_text("Not Found")
        assert "Traceback" not in page.content()


def test_without_scripts_forms_and_links_work(
    browser: Browser, server: WebServer, shown: Shown
) -> None:
    with tab(browser, server.url, java_script_enabled=False) as opened:
        page = opened.go("/runs")
        page.get_by_label("Search runs").fill("large")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        opened.go(f"/runs/{shown.full}/tree")
        page.locator(".dot.plausible").first.click()
        page.wait_for_url("**/nodes/*")
