"""The words of code: its identifiers, taken apart at underscores and capitals too.

`max_price` and `maxPrice` thus share words. Keywords and single letters say nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

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
    return [word for name in _WORD.findall(text) for word in _words_in(name)]


def count_words(text: str) -> Counter[str]:
    """How often each of `words_of` occurs."""
    counts: Counter[str] = Counter()
    for name, count in Counter(_WORD.findall(text)).items():
        for word in _words_in(name):
            counts[word] += count
    return counts


@lru_cache(maxsize=1 << 16)
def _words_in(name: str) -> tuple[str, ...]:
    parts = [part.lower() for part in _PART.findall(name)]
    found = [name.lower(), *(parts if len(parts) > 1 else ())]
    return tuple(word for word in found if len(word) > 1 and word not in _KEYWORDS)
