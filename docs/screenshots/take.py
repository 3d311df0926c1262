"""Takes the pictures of the dashboard, in both themes, from a server that runs already.

    python docs/screenshots/take.py URL RUN [BENCHMARK]

RUN is the id of a run with several patches; it needs the packages of the extra `dev`, and Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.browser import browsing, tab

HERE = Path(__file__).parent
LARGEST = 150_000
SIZE = {"width": 1280, "height": 760}


def main(url: str, run: str, benchmark: str = "") -> None:
    """Take them all."""
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
        "machines": "/machines",
        "error": "/nothing-here",
    }
    if benchmark:
        pages["benchmark"] = f"/benchmarks/show?name={benchmark}"
    with browsing() as browser:
        for theme in ("light", "dark"):
            with tab(browser, url, color_scheme=theme, viewport=SIZE) as opened:
                for name, path in pages.items():
                    target = HERE / f"{name}-{theme}.png"
                    opened.go(path).screenshot(path=target)
                    size = target.stat().st_size
                    print(f"{target.name}: {size:,} bytes{' TOO LARGE' * (size > LARGEST)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
