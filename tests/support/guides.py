"""The commands that a guide shows, so that tests can run them as they stand there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


def fenced(guide: str, language: str) -> list[str]:
    """The blocks of that language."""
    text = (GUIDES / guide).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)


def indented(guide: str) -> list[str]:
    """The lines of all indented blocks, without comments."""
    text = re.sub(r"^```.*?^```$", "", (GUIDES / guide).read_text(), flags=re.S | re.M)
    lines = [textwrap.dedent(line) for line in text.splitlines() if line.startswith("    ")]
    return [line.partition("  #")[0].rstrip() for line in lines]
