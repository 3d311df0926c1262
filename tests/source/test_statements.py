"""Which statement and function a line belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.source.statements import SourceIndex, index_source


def index(text: str) -> SourceIndex:
    return index_source("m.py", text)


def spans(text: str) -> list[tuple[int, int]]:
    return [(s.first, s.last) for s in index(text).statements]


def test_lines_of_a_multi_line_call_are_one_statement() -> None:
    found = index("x = f(\n    1,\n    2,\n)\ny = 2\n")
    assert [(s.first, s.last) for s in found.statements] == [(1, 4), (5, 5)]
    assert found.statement_at(3) is found.statement_at(1)


def test_compound_header_ends_before_its_body_without_comments_and_blanks() -> None:
    text = "if (a and\n        b):\n    # why\n\n    c = 1\nelse:\n    c = 2\n"
    assert spans(text) == [(1, 2), (5, 5), (7, 7)]


def test_function_header_spans_decorators_and_parameters() -> None:
    text = "@cache\n@wraps(\n    g)\nasync def f(\n    a,\n    b=1,\n):\n    return a\n"
    header, body = index(text).statements
    assert (header.first, header.last, body.first) == (1, 7, 8)
    assert header.defines is not None
    assert (header.defines.name, header.defines.first, header.defines.last) == ("f", 1, 8)


def test_nested_functions_and_methods_have_dotted_names() -> None:
    text = (
        "class A:\n    x = 1\n    def m(self):\n        def inner():\n            return 1\n"
        "        return inner\n    class B:\n        async def n(self):\n            pass\n"
    )
    found = index(text)
    assert [f.name for f in found.functions] == ["A.m", "A.m.inner", "A.B.n"]
    assert [found.statement_at(line).function for line in (2, 3, 5, 6, 9)] == [  # type: ignore[union-attr]
        None,
        "A.m",
        "A.m.inner",
        "A.m",
        "A.B.n",
    ]
    assert found.function_at(5).name == "A.m.inner"  # type: ignore[union-attr]
    assert found.function_at(2) is None


def test_elif_and_except_are_headers_as_deep_as_their_statement() -> None:
    text = (
        "if a:\n    b\nelif c:\n    d\nelse:\n    e\n"
        "try:\n    f\nexcept E:\n    g\nelse:\n    h\nfinally:\n    i\n"
    )
    depths = {s.first: s.depth for s in index(text).statements}
    assert depths == {1: 0, 2: 1, 3: 0, 4: 1, 6: 1, 7: 0, 8: 1, 9: 0, 10: 1, 12: 1, 14: 1}


def test_nested_if_in_else_is_deeper_than_an_elif() -> None:
    depths = {
        s.first: s.depth for s in index("if a:\n    b\nelse:\n    if c:\n        d\n").statements
    }
    assert depths == {1: 0, 2: 1, 4: 1, 5: 2}


def test_match_cases_loops_and_with_are_headers() -> None:
    text = (
        "match x:\n    case [1,\n          2]:\n        a\n    case _:\n        b\n"
        "for i in y:\n    c\nelse:\n    d\nwith p as q:\n    e\n"
    )
    single = [(n, n) for n in (4, 5, 6, 7, 8, 10, 11, 12)]
    assert spans(text) == [(1, 1), (2, 3), *single]


def test_body_on_the_line_of_its_header_is_one_location() -> None:
    found = index("def f(x): return x\nif y: z = 1\n")
    assert [(s.first, s.last) for s in found.statements] == [(1, 1), (2, 2)]
    assert found.statements[0].function == "f"
    assert [f.name for f in found.functions] == ["f"]


def test_docstrings_comments_and_blank_lines_are_no_statements() -> None:
    found = index('"""Doc."""\n\n# c\ndef f():\n    """Doc\n    more."""\n    return 1\n')
    assert [(s.first, s.last) for s in found.statements] == [(4, 4), (7, 7)]
    assert found.statement_at(1) is None
    assert found.statement_at(3) is None


@pytest.mark.parametrize("broken", ["def f(:\n    1\n", "x = 1\0\n", "(" * 5000 + "\n"])
def test_text_that_does_not_parse_is_read_line_by_line(broken: str) -> None:
    assert index(broken).functions == ()
    assert index("x = = 1\n\n# note\n)\n").statement_at(1) is not None


def test_invalid_escape_in_the_subject_raises_no_warning() -> None:
    assert spans('x = "\\d"\n') == [(1, 1)]


def test_other_languages_have_one_statement_a_line_that_has_code() -> None:
    found = index_source("A.java", "int f() {\n  return 1;\n}\n\n")
    assert [(s.first, s.last) for s in found.statements] == [(1, 1), (2, 2)]


def test_lone_carriage_returns_do_not_break_the_index() -> None:
    found = index("if a:\r\r\r    b = 1\rc = 2\n")
    assert found.statements


@given(st.text(alphabet="if x:=1()\n\t #\"'\\elsdf\r\0", max_size=60))
def test_any_text_can_be_indexed(text: str) -> None:
    found = index(text)
    for statement in found.statements:
        assert 1 <= statement.first <= statement.last
