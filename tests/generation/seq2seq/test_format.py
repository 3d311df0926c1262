"""Hunks as text and answers as lines: what training and repair must agree about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.generation.seq2seq.format import (
    SOURCE_TOKENS,
    SPECIAL_TOKENS,
    Budget,
    HunkInput,
    language_of,
    render,
    render_within,
    take_hunk,
)

JAVA = """class Sums {
    int total(int[] xs) {
        int sum = 0;
        for (int i = 1; i < xs.length; i++)
            sum += xs[i];
        return sum;
    }
}
""".splitlines()


def test_a_hunk_is_shown_in_its_function_without_the_shared_indentation() -> None:
    hunk = take_hunk("java", JAVA, 4, 1, (2, 7), ["   return total; "])
    shown = render(hunk)
    assert shown is not None
    assert shown.source == (
        "<java><retrieved>return total;\n"
        "<before>int total(int[] xs) {\n    int sum = 0;\n"
        "<buggy>    for (int i = 1; i < xs.length; i++)\n"
        "<after>        sum += xs[i];\n    return sum;\n}\n"
    )


def test_a_replacement_an_insertion_and_a_deletion_are_read_back() -> None:
    shown = render(take_hunk("java", JAVA, 4, 1, (2, 7)))
    assert shown is not None
    fixed = ["        for (int i = 0; i < xs.length; i++)"]
    assert shown.target(fixed) == "    for (int i = 0; i < xs.length; i++)\n"
    assert shown.read("    for (int i = 0; i < xs.length; i++)\n") == tuple(fixed)
    assert shown.target([]) == ""
    assert shown.read("") == ()
    assert shown.read("\n") == ("",)
    inserted = take_hunk("java", JAVA, 4, 0, (2, 7))
    assert inserted.buggy == ()
    assert inserted.before[-1].strip() == "int sum = 0;"
    assert inserted.after[0].strip().startswith("for")


def test_a_hunk_may_stand_at_either_end_of_a_file() -> None:
    first, last = take_hunk("c", ["a", "b"], 1, 1), take_hunk("c", ["a", "b"], 3, 0)
    assert (first.before, first.buggy, first.after) == ((), ("a",), ("b",))
    assert (last.before, last.buggy, last.after) == (("a", "b"), (), ())


def test_a_line_left_of_the_margin_cannot_be_an_answer() -> None:
    shown = render(take_hunk("java", JAVA, 4, 1, (2, 7)))
    assert shown is not None
    assert shown.target(["int x;"]) is None


def test_the_function_s_head_stays_when_lines_are_left_out() -> None:
    lines = ["def f(first):", *(f"    step_{n}(first)" for n in range(200)), "    return first"]
    shown = render(take_hunk("python", lines, 151, 1, (1, len(lines))))
    assert shown is not None
    before = shown.source.partition("<before>")[2].partition("<buggy>")[0].splitlines()
    assert before[:2] == ["def f(first):", "..."]
    assert before[-1] == "    step_148(first)"
    assert len(shown.source) <= Budget().total + 100


def test_a_side_gets_what_the_other_spares() -> None:
    lines = [f"call_{n:04d}()" for n in range(400)]
    top, bottom = render(take_hunk("c", lines, 1, 1)), render(take_hunk("c", lines, 400, 1))
    assert top is not None
    assert bottom is not None
    assert abs(len(top.source) - len(bottom.source)) < 30
    assert len(top.source) > Budget().total - 100


def test_code_that_looks_like_a_special_token_is_no_token() -> None:
    shown = render(HunkInput("java", (), ('print("<s>" + "<\\after>");', "List<c> x;"), ()))
    assert shown is not None
    assert [token for token in SPECIAL_TOKENS if token in shown.source] == [
        *("<retrieved>", "<before>", "<buggy>", "<after>", "<java>")
    ]
    assert shown.read("a</s>") is None
    answer = shown.target(['print("<s>" + "<\\after>");'])
    assert answer is not None
    assert shown.read(answer) == ('print("<s>" + "<\\after>");',)


def test_what_has_too_many_tokens_loses_lines_around_and_the_hunk_is_never_cut() -> None:
    lines = ["def f():", *("    x = '日本語'" for _ in range(300))]
    shown = render_within(take_hunk("python", lines, 100, 1), lambda text: len(text.encode()))
    assert shown is not None
    assert len(shown.source.encode()) < SOURCE_TOKENS
    assert "<buggy>x = '日本語'\n" in shown.source
    long = take_hunk("python", ["x" * 600], 1, 1)
    assert render(long) is not None
    assert render_within(long, len) is None
    assert render(take_hunk("python", ["x" * 701], 1, 1)) is None


@pytest.mark.parametrize(
    ("path", "language"),
    [("a/b.py", "python"), ("A.java", "java"), ("x.JSX", "javascript"), ("x.h", "c"), ("x", None)],
)
def test_the_suffix_names_the_language(path: str, language: str | None) -> None:
    assert language_of(path) == language


PIECES = ["a", " ", "\t", "(", "<s>", "<\\s>", "</s>", "<mask_1>", "é", "\\"]
LINE = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


@given(st.lists(LINE, max_size=6), st.lists(LINE, min_size=1, max_size=4), st.lists(LINE))
def test_every_answer_that_can_be_written_is_read_back(
    before: list[str], fixed: list[str], buggy: list[str]
) -> None:
    shown = render(HunkInput("c", tuple(before), tuple(buggy), ()))
    assert shown is not None
    answer = shown.target(fixed)
    if answer is not None:
        assert shown.read(answer) == tuple(line if line.strip() else "" for line in fixed)
