"""Small pieces of text as the command line shows them: counted, timed, and safe to print."""

from __future__ import annotations

from apr.cli.heatmap import printable
from apr.results.wording import count, duration, shorten

__all__ = ["count", "duration", "first_line", "one_line", "printable", "shorten"]


def one_line(text: object) -> str:
    """The text on one line, every character that could steer a terminal escaped."""
    return printable(" ".join(str(text).split()))


def first_line(text: str) -> str:
    """The first line that says anything, safe to print: the gist of a failure message."""
    return one_line(next((line for line in text.splitlines() if line.strip()), ""))
