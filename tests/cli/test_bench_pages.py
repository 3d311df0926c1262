"""What `apr bench compare --html` and `apr bench curves` write: whole, escaped, by themselves."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import Result

from apr.bench.comparison import Trials
from apr.bench.records import BugRecord, Protocol, RecordFile
from apr.cli.curve_svg import LEFT, PLOT_HEIGHT, PLOT_WIDTH, TOP, render_curves
from apr.core.run import Budget
from apr.settings import RunSettings

EVIL = "<script>alert(1)</script>&\"'"
VOID = {"meta", "br", "rect", "path", "circle"}


class Checker(HTMLParser):
    """Keeps what is opened and closed, and every attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, found in (("tree", 4), (EVIL, None)):
        protocol = Protocol(RunSettings(), Budget(100, 5.0), 0, name)
        file = RecordFile(tmp_path / "results" / f"set.{len(name)}.jsonl", protocol)
        verdict = "plausible" if found else "none"
        file.add(BugRecord(EVIL, verdict, first_plausible=found, seconds=2.0))
        file.add(BugRecord("gcd", "plausible", label="correct", first_plausible=1, seconds=0.5))
    return tmp_path / "results"


def test_the_page_is_whole_escaped_and_needs_nothing_else(
    apr: Callable[..., Result], results: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    done = apr("bench", "compare", results, "--html", page, "--matrix", "--first", "tree")
    assert done.exit_code == 0, done.output
    text = page.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert "script" not in checker.tags
    assert not [value for name, value in checker.attributes if name in ("src", "href", "onload")]
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert ("lang", "en") in checker.attributes
    assert ("scope", "row") in checker.attributes
    assert "<caption>Bugs by runs</caption>" in text
    assert '<td class="plausible">plausible, 4</td><td class="none">none</td>' in text
    assert "1 of them mended by some runs and not by others" in text
    assert "plausible, 4" in done.output


def test_the_picture_is_xml_that_says_what_it_shows() -> None:
    mended = BugRecord("gcd", "plausible", first_plausible=10, seconds=1.0)
    trials = [Trials(EVIL, {0: {"gcd": mended, "lis": BugRecord("lis", "none")}})]
    root = ElementTree.fromstring(render_curves(trials, EVIL))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.findtext(f"{space}title") == EVIL
    assert root.findtext(f"{space}desc") == f"{EVIL}: 1 of 2 (50%)."
    lines = [path.get("d") for path in root.iter(f"{space}path") if path.get("class") == "line"]
    right, bottom, half = LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT, TOP + PLOT_HEIGHT / 2
    assert lines[0] == f"M{LEFT:.1f} {bottom:.1f}H{right:.1f}V{half:.1f}H{right:.1f}"
    assert "prefers-color-scheme:dark" in (root.findtext(f"{space}style") or "")


def test_runs_of_different_budgets_have_curves_but_no_comparison(
    apr: Callable[..., Result], results: Path, tmp_path: Path
) -> None:
    protocol = Protocol(RunSettings(), Budget(7, 5.0), 0, "short")
    RecordFile(results / "set.short.jsonl", protocol).add(BugRecord("gcd", "none"))
    assert apr("bench", "compare", results).exit_code == 2
    picture = tmp_path / "curves.svg"
    done = apr("bench", "curves", results, "--output", picture, "--title", "All")
    assert done.exit_code == 0, done.output
    assert "short: 0 of 1 (0%)" in picture.read_text()
    refused = apr("bench", "compare", results, "--html", tmp_path / "none" / "page.html")
    assert refused.exit_code == 2
    assert "--html" in refused.output
