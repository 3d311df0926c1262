"""Documents and columns give back exactly what was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apr.core.bug import Bug
from apr.core.errors import StoreError
from apr.core.patch import Hunk, Patch
from apr.core.report import TestResult, ValidationReport
from apr.core.run import Budget, Usage
from apr.storage import codec
from apr.storage.columns import escape, unescape

# Text as files give it: any code point, and undecodable bytes as the surrogates DC80..DCFF.
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.integers(0xDC80, 0xDCFF).map(chr),
    st.sampled_from("\x00\\u"),
)
TEXT = st.text(CHARACTERS, max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
for kind, strategy in ((str, TEXT), (float, FLOATS)):
    st.register_type_strategy(kind, strategy)

LINES = st.lists(TEXT, max_size=3).map(tuple)
PATCHES = st.lists(st.builds(Hunk, old=LINES, new=LINES), max_size=3).map(
    lambda hunks: Patch(tuple(hunks))
)


def through_json(document: object) -> object:
    return json.loads(json.dumps(document, allow_nan=False).encode("ascii"))


@given(PATCHES)
def test_patches_round_trip(patch: Patch) -> None:
    back = codec.decode_patch(through_json(codec.encode_patch(patch)))
    assert back == patch
    assert back.digest == patch.digest


@given(st.builds(TestResult))
def test_results_round_trip(result: TestResult) -> None:
    assert codec.decode_result(through_json(codec.encode_result(result))) == result


@given(st.from_type(ValidationReport))
def test_reports_round_trip(report: ValidationReport) -> None:
    assert codec.decode_report(through_json(codec.encode_report(report))) == report


@settings(max_examples=30)
@given(st.from_type(Bug))
def test_bugs_round_trip(bug: Bug) -> None:
    assert codec.decode_bug(through_json(codec.encode_bug(bug))) == bug


@given(st.from_type(Budget), st.from_type(Usage))
def test_budget_and_usage_round_trip(budget: Budget, usage: Usage) -> None:
    assert codec.decode_budget(through_json(codec.encode_budget(budget))) == budget
    assert codec.decode_usage(through_json(codec.encode_usage(usage))) == usage


@given(st.text(st.one_of(CHARACTERS, st.integers(0xD800, 0xDFFF).map(chr))))
def test_escaped_text_is_accepted_by_every_database_and_comes_back(text: str) -> None:
    escaped = escape(text)
    escaped.encode("utf-8")
    assert "\x00" not in escaped
    assert unescape(escaped) == text


def test_a_newer_document_is_refused_with_advice() -> None:
    with pytest.raises(StoreError, match=r"patch has format 99 .* upgrade apr"):
        codec.decode_patch({"v": 99, "hunks": []})
