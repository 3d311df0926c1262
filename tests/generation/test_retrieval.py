"""Lines that resemble some code, the rarest shared words first."""

from __future__ import annotations

import math

import pytest

from apr.generation.retrieval import K1, B, LineIndex, Place, words_of

SOURCES = {
    "a.py": "total_price = base_price + tax\nreturn total_price\nprint(name)\n",
    "b.py": "    grossPrice = netPrice + tax\n\nlimit = 3\nprint(name)\n",
}


def found(query: str, most: int = 10, without: list[str] | None = None) -> list[tuple[str, int]]:
    places = LineIndex(SOURCES).search(query, most, without or [])
    return [(place.path, place.line) for place, _ in places]


def test_names_are_taken_apart_at_underscores_and_capitals() -> None:
    words = "maxprice max price max_price max price httpserver http server"
    assert words_of("maxPrice = max_price(HTTPServer)") == words.split()


def test_keywords_and_single_letters_say_nothing() -> None:
    assert words_of("for x in self.items: return None") == ["items"]


def test_lines_with_rare_words_come_first_and_equal_lines_once() -> None:
    assert found("net price tax")[:2] == [("b.py", 1), ("a.py", 1)]
    assert found("print(name)") == [("a.py", 3)]
    assert found("nothing_like_it") == []


def test_what_is_known_already_is_not_found() -> None:
    assert found("limit", without=["limit = 3"]) == []
    assert found("price tax", most=1, without=["  grossPrice = netPrice + tax"]) == [("a.py", 1)]


def test_the_score_is_bm25() -> None:
    index = LineIndex({"a.py": "apple\napple pear pear\nplum\n"})
    [(first, score), *_] = index.search("pear", 3)
    assert first == Place("a.py", 2, "apple pear pear")
    rarity = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    length = 3 / (5 / 3)
    assert score == pytest.approx(rarity * 2 * (K1 + 1) / (2 + K1 * (1 - B + B * length)))


def test_an_empty_project_has_no_lines() -> None:
    assert LineIndex({}).search("anything", 3) == []
