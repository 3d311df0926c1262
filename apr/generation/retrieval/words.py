"""The words of code: its identifiers, taken apart at underscores and capitals too.

`max_price` and `maxPrice` thus share words. Keywords and single letters say nothing.
"""

from __future__ import annotations

import re

_KEYWORDS = frozenset(
    word
    for line in (
        "and as assert break case char class const continue def del do double elif else except",
        "false final finally float for from function if import in int is lambda let long new",
        "none not null or pass private public raise return self static string switch this throw",
        "true try var void while with yield",
    )
    for word in line.split()
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def words_of(text: str) -> list[str]:
    """The identifiers of some code, and the parts of those that have several."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = [part.lower() for part in _PART.findall(word)]
        found.append(word.lower())
        if len(parts) > 1:
            found.extend(parts)
    return [word for word in found if len(word) > 1 and word not in _KEYWORDS]
