"""Takes the pictures of the dashboard, in both themes, from a server that runs already.

    python docs/screenshots/take.py URL TOKEN RUN BENCHMARK

The server asks for TOKEN. RUN is the id of a run with several patches, BENCHMARK the name of a
folder of records. It needs the packages of the extra `dev`, and Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from playwright.sync_api import Page

from support.browser import browsing, tab

HERE = Path(__file__).parent
LARGEST = 150_000
SIZE = {"width": 1280, "height": 760}


def main(url: str, token: str, run: str, benchmark: str) -> None:
    """Take them all."""
    records = f"/benchmarks/show?name={benchmark}"
    pages = {
        "runs": "/runs",
        "new-run": "/new",
        "run": f"/runs/{run}",
        "tree": f"/runs/{run}/tree",
        "node": f"/runs/{run}/nodes/1",
        "candidates": f"/runs/{run}/candidates",
        "heat-map": f"/runs/{run}/heat",
        "behaviour": f"/runs/{run}/questions",
        "hunks": f"/runs/{run}/hunks",
        "log": f"/runs/{run}/log",
        "benchmarks": "/benchmarks",
        "benchmark": records,
        "benchmark-curves": f"{records}&over=time#curves",
        "benchmark-bugs": f"{records}#bugs",
        "machines": "/machines",
        "error": "/nothing-here",
    }
    with browsing() as browser:
        for theme in ("light", "dark"):
            with tab(browser, url, color_scheme=theme, viewport=SIZE) as opened:
                page = opened.go("/login")
                take(page, f"login-{theme}")
                page.get_by_label("Token").fill(token)
                page.get_by_role("button", name="Log in").click()
                page.wait_for_url("**/runs")
                for name, path in pages.items():
                    take(opened.go(path), f"{name}-{theme}")


def take(page: Page, name: str) -> None:
    """The picture of what the window shows."""
    target = HERE / f"{name}.png"
    page.screenshot(path=target)
    size = target.stat().st_size
    print(f"{target.name}: {size:,} bytes{' TOO LARGE' * (size > LARGEST)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
