"""Numbers and times in words, the same for a terminal and for a page."""

from __future__ import annotations


def shorten(text: str, length: int) -> str:
    """At most `length` characters, cut in the middle, where names differ the least."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 test`, `1,234 tests`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Seconds for a reader: `0.42 s`, `7.5 s`, `48 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
