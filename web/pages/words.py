"""Numbers, times and foreign text as a page shows them."""

from __future__ import annotations

import re
import sys
import unicodedata
from datetime import UTC, datetime

from apr.results.wording import count, duration, shorten

__all__ = [
    "ago",
    "count",
    "duration",
    "first_line",
    "money",
    "one_line",
    "safe_text",
    "sentence",
    "shorten",
    "stamp",
]

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
_BASIC_PLANE = range(0x10000)


def _unsafe_pattern() -> re.Pattern[str]:
    """What could steer a reader's eyes: controls, direction marks, what has no character."""
    unsafe = (
        chr(code)
        for code in _BASIC_PLANE
        if unicodedata.category(chr(code)) in _UNSAFE and chr(code) not in _KEPT
    )
    return re.compile(f"[{re.escape(''.join(unsafe))}\U000e0000-{chr(sys.maxunicode)}]")


_UNSAFE_PATTERN = _unsafe_pattern()


def safe_text(text: str) -> str:
    r"""Foreign text with every character that is no plain one as `\x1b` or `\u202e`.

    Line ends and tabs stay; markup is not escaped, which is the template's business.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE_PATTERN.sub(_escape, text.replace("\r\n", "\n"))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: object) -> str:
    """The text on one line."""
    return " ".join(str(text).split())


def first_line(text: str) -> str:
    """The first line that says anything: the gist of a failure message."""
    return one_line(next((line for line in text.splitlines() if line.strip()), ""))


def ago(moment: datetime, now: datetime) -> str:
    """How long ago it was, in one unit: `just now`, `4 min ago`, `3 h ago`, `12 days ago`."""
    seconds = max(0.0, (now - moment).total_seconds())
    if seconds < 60:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''} ago"
    raise AssertionError("unreachable: less than a minute was told above")


def stamp(moment: datetime) -> str:
    """A moment, to the second, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(usd: float) -> str:
    """US dollars: two places from ten cents on, four below."""
    return f"${usd:,.2f}" if usd >= 0.1 else f"${usd:.4f}"


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    shown = one_line(text)
    return f"{shown[:1].upper()}{shown[1:]}{'' if shown.endswith(('.', '!', '?')) else '.'}"
