"""Lines that resemble some code, the rarest shared words first."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.generation.retrieval import LineIndex, Place, TfIdf, index_lines, words_of
from apr.generation.retrieval.embedding import SentenceEmbedder
from apr.generation.retrieval.measures import K1, B

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


def test_tf_idf_is_the_cosine_of_rarities() -> None:
    measure = TfIdf([["apple"], ["apple", "pear", "pear"], ["plum"]])
    common, rare = math.log(1 + 3 / 3), math.log(1 + 3 / 2)
    norm = math.sqrt(common**2 + rare**2)
    assert measure.scores(["apple"]) == pytest.approx({0: 1.0, 1: common / norm})
    assert measure.scores(["pear", "apple"]) == pytest.approx({0: common / norm, 1: 1.0})
    assert measure.scores(["quince"]) == {}


def test_a_line_index_may_compare_by_tf_idf() -> None:
    index = LineIndex(SOURCES, TfIdf)
    [(place, score), *_] = index.search("limit", 3)
    assert (place.text, score) == ("limit = 3", pytest.approx(1.0))


def test_the_lines_around_the_query_are_not_elsewhere() -> None:
    found = LineIndex(SOURCES).elsewhere("total_price", 5, "a.py", 1, 1)
    assert [(place.path, place.line) for place, _ in found] == [("a.py", 2), ("b.py", 1)]


def test_equal_texts_share_an_index() -> None:
    index = index_lines(dict(SOURCES))
    assert index_lines({path: str(text) for path, text in reversed(SOURCES.items())}) is index
    assert index_lines(SOURCES, TfIdf) is not index
    assert index_lines({**SOURCES, "c.py": "x = limit\n"}) is not index


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence encoder as transformers keeps them, with random weights."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("encoder")
    letters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    shape = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.BertModel(shape).save_pretrained(folder)
    return folder


def test_an_embedder_orders_what_words_have_found(encoder: Path) -> None:
    embedder = SentenceEmbedder(encoder)
    one, same, other = embedder.embed(["price + tax", "price + tax", "print(name)"])
    assert one == same
    assert sum(a * a for a in one) == pytest.approx(1.0, abs=1e-5)
    assert sum(a * b for a, b in zip(one, other, strict=True)) < 0.999
    index = LineIndex(SOURCES, embedder=embedder)
    found = index.search("grossPrice = netPrice + tax", 3)
    assert found[0][0].path == "b.py"
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    assert index.search("nothing_like_it", 3) == []


def test_a_folder_without_an_encoder_is_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(BadInputError, match="no sentence encoder"):
        SentenceEmbedder(tmp_path).embed(["x"])
