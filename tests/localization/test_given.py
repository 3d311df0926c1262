"""Perfect localization: reading the place that the user names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.errors import BadInputError
from apr.localization.given import parse_location

SOURCES = {
    "pkg/a.py": (
        "import os\n\nclass A:\n    def run(self):\n        return f(\n            1,\n        )\n"
        "\nclass B:\n    def run(self):\n        pass\n\ndef only():\n    # why\n    return 2\n"
    ),
    "pkg/b.py": "x = 1\n",
    "other/b.py": "x = 2\n",
    "src/A.java": "class A {\n  int x;\n}\n",
    "empty.py": "",
    "odd:3.py": "y = 1\nz = 2\n",
}


def places(text: str) -> list[str]:
    return [str(s.location) for s in parse_location(text, SOURCES)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pkg/a.py:1", ["pkg/a.py:1"]),
        ("pkg/a.py:6", ["pkg/a.py:5-7"]),
        ("./pkg/a.py:6", ["pkg/a.py:5-7"]),
        ("pkg/a.py:4-5", ["pkg/a.py:4", "pkg/a.py:5-7"]),
        ("pkg/a.py:14", ["pkg/a.py:14"]),
        ("pkg/a.py:2", ["pkg/a.py:2"]),
        ("pkg/a.py::only", ["pkg/a.py:13", "pkg/a.py:15"]),
        ("pkg/a.py::B.run", ["pkg/a.py:10", "pkg/a.py:11"]),
        ("pkg/a.py::B::run", ["pkg/a.py:10", "pkg/a.py:11"]),
        ("a.py:1", ["pkg/a.py:1"]),
        ("/home/me/repo/pkg/a.py:1", ["pkg/a.py:1"]),
        ("pkg/b.py", ["pkg/b.py:1"]),
        ("src/A.java", ["src/A.java:1", "src/A.java:2"]),
        ("src/A.java:2", ["src/A.java:2"]),
        ("odd:3.py", ["odd:3.py:1", "odd:3.py:2"]),
        ("odd:3.py:2", ["odd:3.py:2"]),
    ],
)
def test_place_is_read(text: str, expected: list[str]) -> None:
    assert places(text) == expected


def test_given_places_are_certain_and_know_their_function() -> None:
    (found,) = parse_location("pkg/a.py:6", SOURCES)
    assert (found.suspiciousness, found.formula, found.function) == (1.0, "given", "A.run")
    (comment,) = parse_location("pkg/a.py:14", SOURCES)
    assert comment.function == "only"


def test_last_of_several_definitions_is_meant() -> None:
    source = {"m.py": "def f():\n    return 1\ndef f():\n    return 2\n"}
    assert [s.location.first for s in parse_location("m.py::f", source)] == [3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope.py:1", "'nope.py' is not among the source files"),
        ("b.py:1", r"'b.py' could mean any of other/b.py, pkg/b.py"),
        ("pkg/a.py:16", "pkg/a.py has 15 lines, so there is no line 16"),
        ("pkg/a.py:0", "first line of a file is 1"),
        ("pkg/a.py:5-4", "5-4 is no range"),
        ("pkg/a.py::nope", "pkg/a.py has no function called 'nope'"),
        ("pkg/a.py::run", r"could mean any of A.run, B.run"),
        ("pkg/a.py::", "no function called ''"),
        ("empty.py:1", "empty.py has 0 lines"),
        ("pkg/a.py:x", "not among the source files"),
        ("", "not among the source files"),
    ],
)
def test_place_that_does_not_exist_is_one_clear_sentence(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        parse_location(text, SOURCES)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="pkg/a.py:0123-Brun", max_size=20))
def test_any_text_is_a_place_or_bad_input(text: str) -> None:
    try:
        found = parse_location(text, SOURCES)
    except BadInputError:
        return
    assert found
    assert all(s.location.path in SOURCES for s in found)
