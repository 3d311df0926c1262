"""Which files may be patched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.errors import BadInputError
from apr.core.scope import (
    is_configuration_path,
    is_foreign_path,
    is_test_path,
    matches_glob,
    source_paths,
)


@pytest.mark.parametrize(
    "path",
    [
        "test_a.py",
        "pkg/a_test.py",
        "tests/helper.py",
        "pkg/tests/data/x.py",
        "conftest.py",
        "pkg/conftest.py",
        "tests.py",
        "src/test/java/org/x/Util.java",
        "src/main/java/org/x/CartTest.java",
        "CartTests.java",
        "TestCart.java",
        "CartIT.java",
        "src/__tests__/a.js",
        "src/a.test.js",
        "src/a.spec.tsx",
        "lib/test_list.c",
        "python_testcases/node.py",
        "unit_tests/a.py",
    ],
)
def test_tests_and_their_aids_are_recognised(path: str) -> None:
    assert is_test_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "pkg/a.py",
        "pkg/testing.py",
        "pkg/contest.py",
        "pkg/latest/a.py",
        "pkg/protest.py",
        "src/main/java/org/x/Attest.java",
        "src/main/java/AUDIT.java",
        "src/main/java/Testament.java",
        "src/inspect.js",
        "python_programs/sieve.py",
    ],
)
def test_source_whose_name_merely_resembles_a_test_is_source(path: str) -> None:
    assert not is_test_path(path)


@pytest.mark.parametrize(
    "path",
    ["setup.py", "pkg/setup.py", "noxfile.py", "docs/conf.py", "jest.config.js", ".eslintrc.js"],
)
def test_configuration_is_recognised(path: str) -> None:
    assert is_configuration_path(path)


@pytest.mark.parametrize("path", ["pkg/tasks.py", "pkg/docs/render.py", "config.py", "conf.py"])
def test_program_files_are_not_taken_for_configuration(path: str) -> None:
    assert not is_configuration_path(path)


@pytest.mark.parametrize(
    ("path", "foreign"),
    [
        (".venv/lib/a.py", True),
        ("web/node_modules/x/a.js", True),
        ("build/lib/pkg/a.py", True),
        ("src/build/env.py", False),
        ("pkg/a.py", False),
        (".hidden.py", False),
    ],
)
def test_vendored_generated_and_hidden_folders_are_foreign(path: str, foreign: bool) -> None:
    assert is_foreign_path(path) is foreign


PATHS = ["z.py", "a/b.py", "a/c.txt", "tests/test_b.py", "setup.py", "a/deep/d.py", ".tox/e.py"]


def test_default_sources_are_neither_tests_configuration_nor_foreign() -> None:
    assert source_paths(PATHS) == ("a/b.py", "a/deep/d.py", "z.py")


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        (["a"], ("a/b.py", "a/deep/d.py")),
        (["./a/"], ("a/b.py", "a/deep/d.py")),
        (["a/*.py"], ("a/b.py",)),
        (["a/**/*.py"], ("a/b.py", "a/deep/d.py")),
        (["d.py"], ("a/deep/d.py",)),
        (["*.py"], (".tox/e.py", "a/b.py", "a/deep/d.py", "setup.py", "z.py")),
        (["[!a-y].py"], ("z.py",)),
        (["nothing/**"], ()),
    ],
)
def test_globs_select_as_in_gitignore_but_never_tests(
    globs: list[str], expected: tuple[str, ...]
) -> None:
    assert source_paths(PATHS, globs) == expected


def test_path_spelled_out_in_full_names_even_a_test() -> None:
    assert source_paths(PATHS, ["tests/test_b.py"]) == ("tests/test_b.py",)


def test_suffixes_choose_the_language() -> None:
    paths = ["A.java", "b.js", "c.py"]
    assert source_paths(paths, suffixes=(".java", ".js")) == ("A.java", "b.js")


def test_impossible_range_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="no usable pattern"):
        matches_glob("a.py", "[z-a].py")


@given(st.text(alphabet=r"ab/*?[]!^\-.&|~{}()$+", max_size=12))
def test_any_glob_is_matched_or_refused(glob: str) -> None:
    try:
        matches_glob("a/b.py", glob)
    except BadInputError:
        assert "[" in glob
