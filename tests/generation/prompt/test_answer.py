"""What models write, slightly off in every usual way, and what is understood of it."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.generation.prompt.answer import AnswerError, Focus, read_answer

SOURCE = textwrap.dedent(
    '''\
    """Arithmetic."""
    from __future__ import annotations

    import math


    def gcd(a, b):
        if b == 0:
            return a
        else:
            return gcd(a % b, b)


    class Counter:
        def add(self, n):
            self.total += n
            return self.total

        def reset(self):
            self.total = 1
    '''
)
SOURCES = {"pkg/arith.py": SOURCE, "pkg/other.py": "x = 1\n"}
GCD = Focus("pkg/arith.py", 7, 11, "gcd")
RESET = Focus("pkg/arith.py", 19, 20, "reset")
FIXED = SOURCE.replace("gcd(a % b, b)", "gcd(b, a % b)")


def read(text: str, focus: Focus = GCD) -> dict[str, str]:
    return read_answer(textwrap.dedent(text), SOURCES, focus)


def test_a_whole_function_takes_the_place_of_the_old_one() -> None:
    answer = """\
        The arguments are swapped.
        ```python
        def gcd(a, b):
            if b == 0:
                return a
            else:
                return gcd(b, a % b)
        ```
        That should do.
        """
    assert read(answer) == {"pkg/arith.py": FIXED}


def test_the_last_block_with_the_function_counts() -> None:
    answer = """\
        It was
        ```
        return gcd(a % b, b)
        ```
        and has to be
        ```python
        def gcd(a, b):
            if b == 0:
                return a
            else:
                return gcd(b, a % b)
        ```
        as the test shows:
        ```python
        assert gcd(4, 6) == 2
        ```
        """
    assert read(answer) == {"pkg/arith.py": FIXED}


def test_of_a_whole_file_only_the_function_is_taken() -> None:
    answer = "```python\n" + FIXED.replace("self.total = 1", "self.total = 99") + "```"
    assert read_answer(answer, SOURCES, GCD) == {"pkg/arith.py": FIXED}


def test_a_method_without_its_class_is_indented() -> None:
    changed = read("```\ndef reset(self):\n    self.total = 0\n```", RESET)
    assert changed["pkg/arith.py"] == SOURCE.replace("self.total = 1", "self.total = 0")


def test_a_method_inside_its_class_is_found() -> None:
    answer = "```\nclass Counter:\n    def reset(self):\n        self.total = 0\n```"
    assert "self.total = 0" in read(answer, RESET)["pkg/arith.py"]


def test_imports_that_the_file_lacks_come_along() -> None:
    answer = """\
        ```python
        import math
        import operator
        def gcd(a, b):
            return a if operator.not_(b) else gcd(b, a % b)
        ```
        """
    text = read(answer)["pkg/arith.py"]
    assert text.count("import math") == 1
    assert text.index("import operator") > text.index("from __future__")
    compile(text, "arith.py", "exec")


def test_an_import_that_makes_no_sense_does_not_spoil_the_function() -> None:
    answer = """\
        ```python
        from typing import List[float]
        from typing import (
            Any,
        )
        def gcd(a, b):
            if b == 0:
                return a
            else:
                return gcd(b, a % b)
        ```
        """
    assert read(answer) == {"pkg/arith.py": FIXED}


def test_of_a_method_and_a_function_with_one_name_the_right_one_is_taken() -> None:
    answer = "```\nclass Other:\n    def gcd(a, b):\n        return 1\n```"
    with pytest.raises(AnswerError, match="no code block"):
        read(answer)
    prose = "```\ndef reset(self):\n    pass\n\nclass Counter:\n    def reset(self):\n"
    prose += "        self.total = 0\n\nThat is it."
    assert "self.total = 0" in read(prose, RESET)["pkg/arith.py"]


def test_without_a_fence_the_whole_answer_is_code() -> None:
    answer = "def gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)\n"
    assert "else gcd(b, a % b)" in read(answer)["pkg/arith.py"]


def test_a_block_that_is_cut_off_at_the_end_is_read_as_far_as_it_goes() -> None:
    answer = "```python\ndef gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)"
    assert "else gcd(b, a % b)" in read(answer)["pkg/arith.py"]


SEARCH = """\
    {name}
    <<<<<<< SEARCH
    {old}
    =======
    {new}
    >>>>>>> REPLACE
    """


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("            return gcd(a % b, b)", "            return gcd(b, a % b)"),
        ("return gcd(a % b, b)", "return gcd(b, a % b)"),
        ("            return gcd(a % b, b)   ", "            return gcd(b, a % b)"),
        ("\n    return gcd(a % b, b)\n", "    return gcd(b, a % b)"),
        ("else:\n    return gcd(a  %  b, b)", "else:\n    return gcd(b, a % b)"),
    ],
    ids=["exact", "other indentation", "trailing blanks", "blank lines around", "similar"],
)
def test_search_and_replace_is_understood_when_slightly_off(old: str, new: str) -> None:
    answer = textwrap.dedent(SEARCH).format(name="pkg/arith.py", old=old, new=new)
    changed = read_answer(answer, SOURCES, GCD)["pkg/arith.py"]
    assert "return gcd(b, a % b)" in changed
    assert "a % b, b" not in changed
    compile(changed, "arith.py", "exec")


def test_several_blocks_in_several_files() -> None:
    one = textwrap.dedent(SEARCH).format(name="`arith.py`", old="import math", new="import cmath")
    two = textwrap.dedent(SEARCH).format(name="### pkg/other.py", old="x = 1", new="x = 2")
    changed = read_answer(f"{one}\n\n{two}", SOURCES, GCD)
    assert changed["pkg/other.py"] == "x = 2\n"
    assert "import cmath" in changed["pkg/arith.py"]


def test_of_equal_places_the_closest_to_the_function_is_meant() -> None:
    twice = {"a.py": "def f():\n    return 1\n\n\ndef g():\n    return 1\n"}
    answer = textwrap.dedent(SEARCH).format(name="", old="    return 1", new="    return 2")
    changed = read_answer(answer, twice, Focus("a.py", 5, 6, "g"))
    assert changed["a.py"] == "def f():\n    return 1\n\n\ndef g():\n    return 2\n"


@pytest.mark.parametrize(
    "diff",
    [
        """\
        --- a/pkg/arith.py
        +++ b/pkg/arith.py
        @@ -8,4 +8,4 @@ def gcd(a, b):
                 return a
             else:
        -        return gcd(a % b, b)
        +        return gcd(b, a % b)
        """,
        """\
        ```diff
        --- pkg/arith.py
        +++ pkg/arith.py
        @@ -100,2 +7,9 @@
             else:
        -        return gcd(a % b, b)
        +        return gcd(b, a % b)
        ```
        """,
        """\
        ```diff
        @@
        -return gcd(a % b, b)
        +return gcd(b, a % b)
        ```
        """,
    ],
    ids=["right", "wrong numbers", "no numbers and no indentation"],
)
def test_unified_diffs_are_read_by_their_text(diff: str) -> None:
    assert read(diff) == {"pkg/arith.py": FIXED}


def test_line_ends_of_the_file_are_kept() -> None:
    sources = {"pkg/arith.py": SOURCE.replace("\n", "\r\n")}
    answer = "```\ndef gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)\n```"
    changed = read_answer(answer, sources, GCD)["pkg/arith.py"]
    assert changed.count("\n") == changed.count("\r\n")


JAVA = textwrap.dedent(
    """\
    class Sum {
        int sum(int n) {
            return n - 1;
        }

        int two() { return 2; }
    }
    """
)


@pytest.mark.parametrize(
    "block",
    [
        "int sum(int n) {\n    return n + 1;\n}",
        "class Sum {\n    int sum(int n) {\n        return n + 1;\n    }\n}",
        "class Other {\n  int sum(int n) {\n    return n + 1;\n  }\n  int x() { return 1; }\n}",
    ],
    ids=["method", "class", "other class"],
)
def test_a_java_method_alone_or_in_a_class(block: str) -> None:
    changed = read_answer(
        f"```java\n{block}\n```", {"Sum.java": JAVA}, Focus("Sum.java", 2, 4, "sum")
    )
    assert "n + 1" in changed["Sum.java"]
    assert "int two() { return 2; }" in changed["Sum.java"]
    assert changed["Sum.java"].count("class") == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I do not know.", "no code block with the whole function gcd"),
        ("```\ndef other():\n    pass\n```", "no code block with the whole function gcd"),
        ("```python\n" + "\n".join(SOURCE.split("\n")[6:11]) + "\n```", "changes nothing"),
        ("<<<<<<< SEARCH\nno such line\n=======\nx\n>>>>>>> REPLACE", "do not occur in pkg/arith"),
        ("<<<<<<< SEARCH\n\n=======\nx\n>>>>>>> REPLACE", "does not say which lines"),
        ("<<<<<<< SEARCH\nimport math\n=======\nx", "not closed"),
        ("@@ -1 +1 @@\n-no such line\n+x\n", "do not occur"),
    ],
)
def test_what_cannot_be_applied_is_told_back(answer: str, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason):
        read_answer(answer, SOURCES, GCD)


FENCES = ["```", "```python", "~~~", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"]
DIFFS = ["@@ -1,2 +1,2 @@", "--- a/pkg/arith.py", "+++ b/pkg/arith.py", "-    return a", "+x", " y"]
CODE = ["def gcd(a, b):", "    return a", "\t", "", "pkg/other.py", "x = 1", "\\ No newline", "\r"]
FRAGMENTS = st.sampled_from([*FENCES, *DIFFS, *CODE])


@given(st.lists(FRAGMENTS | st.text(max_size=12), max_size=14))
def test_no_answer_does_more_than_fail(lines: list[str]) -> None:
    try:
        changed = read_answer("\n".join(lines), SOURCES, GCD)
    except AnswerError:
        return
    assert changed
    assert all(changed[path] != SOURCES[path] for path in changed)
