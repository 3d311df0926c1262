"""What records of comparisons count as."""

from __future__ import annotations

from typing import Any

import pytest

from apr.bench.divergence import PatchComparison, summarize

WORDS = {"wording": True, "internal": False, "test": {"proven": True}}
PRIVATE = {"wording": False, "internal": True, "test": None}
TEST = {"name": "test_written_1.py", "text": "", "outcomes": {}, "base": None}


def comparison(*found: dict[str, Any], **report: Any) -> PatchComparison:
    document = {"discrepancies": list(found), "suite": [], **report}
    return PatchComparison("i-1", "tool", "d", "divergent", report=document)


@pytest.mark.parametrize(
    ("record", "wording", "internal", "proven"),
    [
        (comparison(WORDS), 1, 0, 1),
        (comparison(PRIVATE), 0, 1, 0),
        (comparison(WORDS, PRIVATE), 0, 0, 1),
        (comparison(WORDS, suite=[{"test": "t", "outcomes": []}]), 0, 0, 1),
        (comparison(PRIVATE, written={"counts": {}, "differences": [TEST]}), 0, 0, 1),
        (comparison(written=None), 0, 0, 0),
    ],
)
def test_differences_in_words_or_in_private_are_counted_apart(
    record: PatchComparison, wording: int, internal: int, proven: int
) -> None:
    rates = summarize([record])
    assert (rates.wording, rates.internal, rates.proven) == (wording, internal, proven)
