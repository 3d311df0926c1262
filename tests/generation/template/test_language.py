"""Spans, encodings and normal forms of the Python language."""

from __future__ import annotations

import pytest

from apr.generation.template.edits import DonorIndex, Edit, Ingredients, similarity
from apr.generation.template.fingerprint import FileFingerprint
from apr.generation.template.python.language import PythonLanguage

PYTHON = PythonLanguage()


def edited(text: str) -> list[str]:
    return [edit.apply(text) for edit in PYTHON.edits(text, None, Ingredients())]


@pytest.mark.parametrize("text", ["def f(:\n", "x = (1\n", "\0", "if x:\npass\n"])
def test_unparsable_text_yields_nothing(text: str) -> None:
    assert edited(text) == []
    assert PYTHON.normalise(text) is None
    assert PYTHON.harvest(text) == Ingredients()


def test_crlf_line_ends_are_kept_and_written() -> None:
    text = "def f(xs):\r\n    g(xs)\r\n    return 1\r\n"
    results = edited(text)
    assert "def f(xs):\r\n    return 1\r\n" in results
    assert all("\n" not in result.replace("\r\n", "") for result in results)


def test_tabs_indent_inserted_code() -> None:
    text = "def f(xs):\n\tg(xs)\n"
    assert "def f(xs):\n\tif not xs:\n\t\treturn None\n\tg(xs)\n" in edited(text)


def test_characters_outside_ascii_do_not_shift_spans() -> None:
    text = "naïve = 'äöü𝛼' + word\n"
    assert "naïve = word + 'äöü𝛼'\n" in edited(text)


def test_undecodable_bytes_survive() -> None:
    text = "# caf\udce9\nx = a < b  # \udcff\n"
    assert "# caf\udce9\nx = a <= b  # \udcff\n" in edited(text)


def test_byte_order_mark_stays_first() -> None:
    text = "\ufeffx = a < b\n"
    results = edited(text)
    assert "\ufeffx = a <= b\n" in results
    assert all(result.startswith("\ufeff") for result in results)


def test_comments_and_layout_survive_an_edit() -> None:
    text = "x = (a   <   b)  # why\n\n\ny = 1   ;z = 2\n"
    assert "x = (a   <=   b)  # why\n\n\ny = 1   ;z = 2\n" in edited(text)


def test_last_line_without_newline_can_be_followed() -> None:
    text = "def f(xs):\n    ys = []\n    g(ys)"
    assert "def f(xs):\n    ys = []\n    g(ys)\n    return ys" in edited(text)


def test_parentheses_keep_the_meaning() -> None:
    text = "x = (a + b) * c\n"
    results = edited(text)
    assert "x = c\n" in results
    assert "x = (a - b) * c\n" in results


def test_loose_operands_are_parenthesised() -> None:
    assert "x = -(a + b)\n" in edited("x = -(a * b)\n")
    assert "y = (b + a)[0]\n" in edited("y = (a + b)[0]\n")


def test_layout_does_not_change_the_normal_form() -> None:
    assert PYTHON.normalise("x=1 # one\n") == PYTHON.normalise("x = (1)\n")
    assert PYTHON.normalise("x = 1\n") != PYTHON.normalise("x = 2\n")


def test_text_the_compiler_rejects_has_no_normal_form() -> None:
    assert PYTHON.normalise("return 1\n") is None
    assert PYTHON.normalise("break\n") is None


CHUNKED = '''"""Doc."""
import os; import sys

@deco
def f():
    return 1


x = 1
'''


def test_chunks_cover_the_text_and_forms_concatenate() -> None:
    chunks = PYTHON.chunks(CHUNKED)
    assert "".join(CHUNKED[start:end] for start, end in chunks) == CHUNKED
    forms = [PYTHON.normalise(CHUNKED[start:end]) for start, end in chunks]
    assert "".join(form or "?" for form in forms) == PYTHON.normalise(CHUNKED)


CLASS = """class A(B):
    size = 1

    def f(self, a):
        return a < self.size

    # about g
    @property
    def g(self):
        return 1


def h(a):
    return a + 1
"""


def test_members_of_a_class_are_chunks_and_differ_from_functions() -> None:
    pieces = [CLASS[start:end] for start, end in PYTHON.chunks(CLASS)]
    assert len(pieces) == 4
    assert "".join(pieces) == CLASS
    forms = [PYTHON.normalise(piece) for piece in pieces]
    assert "".join(form or "?" for form in forms) == PYTHON.normalise(CLASS)
    assert PYTHON.normalise("    x = 1\n") != PYTHON.normalise("x = 1\n")


def test_member_that_would_end_its_class_has_no_normal_form() -> None:
    assert PYTHON.normalise("    x = 1\ny = 2\n") is None


@pytest.mark.parametrize("text", [CHUNKED, CLASS])
def test_fingerprint_after_an_edit_equals_that_of_the_edited_text(text: str) -> None:
    fingerprint = FileFingerprint(text, PYTHON)
    edits = list(PYTHON.edits(text, None, Ingredients()))
    compared = 0
    for edit in edits:
        digest = fingerprint.digest_after(edit)
        if digest is not None:
            compared += 1
            assert digest == FileFingerprint(edit.apply(text), PYTHON).digest
    assert compared > 10


def test_fingerprint_rejects_an_edit_that_does_not_parse() -> None:
    fingerprint = FileFingerprint("x = 1\ny = 2\n", PYTHON)
    assert fingerprint.digest_after(Edit(4, 5, "(", "any", 1.0, 1)) is None


def test_similarity_is_the_jaccard_index_of_sub_tokens() -> None:
    assert similarity("max_depth", "maxDepth") == 1.0
    assert similarity("max_depth", "depth") == 0.5
    assert similarity("a", "b") == 0.0


def test_nearest_donor_shares_the_rare_words() -> None:
    index = DonorIndex(["self.lock.acquire()", "self.count += 1", "return self.count"])
    nearest = index.nearest("lock.release()", 1)
    assert [donor for donor, _ in nearest] == ["self.lock.acquire()"]
    assert index.nearest("nothing_alike", 3) == []
