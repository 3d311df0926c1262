"""Which texts count as one program, and which must not."""

from __future__ import annotations

import pytest

from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Hunk, Patch, diff_texts
from validation.equivalence import NormalForms, exact_digest, normal_form

SOURCE = 'def add(a, b):\n    """Adds."""\n    return a - b\n'


def form(text: str, source: str = SOURCE, tests: str = "", path: str = "calc.py") -> str:
    forms = NormalForms({path: source}, {"test_calc.py": tests})
    return forms.of(diff_texts({path: source}, {path: text}))


def returning(expression: str) -> str:
    return SOURCE.replace("a - b", expression)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (returning("a + b"), returning("(a + b)")),
        (returning("a + b"), returning("a+b  # why not")),
        (returning("a + b"), returning("(\n        a +\n        b)")),
        (returning("a + 1"), returning("a + (3 - 2)")),
        (returning("'x'"), returning('"x"')),
        (returning("a"), returning("a\n    return b")),
        (returning("a in {'u', 'v', 'w'}"), returning("a in {'w', 'u', 'v'}")),
    ],
)
def test_one_program_in_two_texts(one: str, other: str) -> None:
    assert form(one) == form(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (returning("a + b"), returning("b + a")),
        (returning("a + 1"), returning("a + 1.0")),
        (returning("a + 1"), returning("a + True")),
        (returning("0.0"), returning("-0.0")),
        (returning("a"), returning("a").replace("Adds.", "Adds two.")),
        (returning("a"), returning("a").replace("(a, b)", "(a, b=None)")),
        (returning("a"), returning("a").replace("(a, b)", "(a, *, b)")),
        (returning("lambda: a"), returning("lambda: b")),
        (returning("a is b"), returning("a == b")),
    ],
)
def test_two_programs(one: str, other: str) -> None:
    assert form(one) != form(other)


def test_the_base_in_another_layout_is_the_base() -> None:
    assert form(returning("(a - b)")) == ""
    assert form(SOURCE + "\n\n# nothing\n") == ""


LOOKING = ["import inspect\n", "import traceback\n", "print(__file__)\n", "e.tb_lineno\n"]


@pytest.mark.parametrize("line", LOOKING)
def test_a_file_that_looks_at_itself_is_compared_by_its_text(line: str) -> None:
    source = line + SOURCE
    changed = [source.replace("a - b", new) for new in ("a + b", "(a + b)")]
    assert form(changed[0], source) != form(changed[1], source)


@pytest.mark.parametrize(
    "tests", ["assert 'line 3' in text\n", "open('calc.py').read()\n", "import inspect\n"]
)
def test_tests_that_expect_a_text_forbid_to_merge_others(tests: str) -> None:
    assert form(returning("a + b"), tests=tests) != form(returning("(a + b)"), tests=tests)


def test_what_does_not_compile_is_compared_by_its_text() -> None:
    assert form(returning("a +")) != form(returning("a  +"))
    assert normal_form("calc.py", "return 1\n") is None
    assert normal_form("calc.py", "(" * 500 + ")" * 500) is None


def test_a_text_that_names_its_encoding_is_compared_as_it_stands() -> None:
    cookie = "# -*- coding: unicode_escape -*-\n"
    assert normal_form("calc.py", cookie + SOURCE) is None
    assert normal_form("calc.py", "#!/bin/python\n" + cookie + SOURCE) is None
    assert normal_form("calc.py", "\n\n" + cookie + SOURCE) is not None


def test_a_form_is_the_same_in_every_process() -> None:
    # Written down here, since string hashes differ between processes.
    text = "def f(x):\n    return x in {'a', 'b', 'c'}, None, 1.5, b'x', ...\n"
    assert normal_form("f.py", text) == normal_form("f.py", text.replace("'a', 'b'", "'b', 'a'"))


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("int f() { return a+b; }\n", "int f()  {\treturn a + b; } // sum\n", True),
        ("int f() { /* x */ return 1; }\n", "\nint f() { return 1; }\n", True),
        ("int f() { return a + +b; }\n", "int f() { return a ++b; }\n", False),
        ('char *s = "a b";\n', 'char *s = "a  b";\n', False),
        ('char *s = "//";\n', 'char *s = "";\n', False),
        ("#define A(x) x\n", "#define A (x) x\n", False),
        ("int a; int b;\n", "int a;\nint b;\n", False),
    ],
)
def test_tokens_of_c(one: str, other: str, are_one: bool) -> None:
    assert (normal_form("a.c", one) == normal_form("a.c", other)) is are_one


@pytest.mark.parametrize(
    ("path", "text"), [("a.c", "assert(x);\n"), ("a.c", "__LINE__;\n"), ("a.js", "let a;\n")]
)
def test_other_files_have_no_form(path: str, text: str) -> None:
    assert normal_form(path, text) is None


def test_a_deleted_file_is_not_an_empty_one() -> None:
    base = {"calc.py": SOURCE}
    lines = tuple(SOURCE.splitlines(keepends=True))
    emptied = Patch((Hunk("calc.py", 1, lines, ()),))
    deleted = Patch((Hunk("calc.py", 1, lines, ()),), deleted=("calc.py",))
    assert NormalForms(base, {}).of(emptied) != NormalForms(base, {}).of(deleted)
    assert exact_digest(emptied, base) != exact_digest(deleted, base)


def test_texts_are_equal_whichever_hunks_lead_to_them() -> None:
    base = {"calc.py": SOURCE}
    small = diff_texts(base, {"calc.py": returning("a + b")})
    lines = tuple(SOURCE.splitlines(keepends=True))
    large = Patch((Hunk("calc.py", 1, lines, (*lines[:2], "    return a + b\n")),))
    assert small.digest != large.digest
    assert exact_digest(small, base) == exact_digest(large, base)


def test_a_patch_of_another_version_is_refused() -> None:
    with pytest.raises(PatchDoesNotApplyError):
        NormalForms({"calc.py": SOURCE}, {}).of(Patch((Hunk("calc.py", 1, ("x\n",), ()),)))
