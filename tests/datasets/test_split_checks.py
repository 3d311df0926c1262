from __future__ import annotations

import sys
import types

import pytest

from apr.core.errors import BadInputError
from apr.datasets.split_checks import find_argument_lists, split_check

PROGRAM = "import math\n\ndef helper(n):\n    return n\n\ndef half(n):\n    return n // 2\n"


def run_tests(test_file: str, program: str) -> dict[str, bool]:
    module = types.ModuleType("program_under_split")
    exec(program, module.__dict__)
    sys.modules["program_under_split"] = module
    names: dict[str, object] = {}
    exec(test_file, names)
    outcomes = {}
    for name, function in names.items():
        if name.startswith("test_"):
            try:
                function()  # type: ignore[operator]
                outcomes[name] = True
            except AssertionError:
                outcomes[name] = False
    del sys.modules["program_under_split"]
    return outcomes


def split(test: str) -> str:
    return split_check(test, PROGRAM, "program_under_split", "half")


def test_each_assert_becomes_a_test() -> None:
    text = split(
        "def check(candidate):\n"
        "    assert candidate(4) == 2\n"
        "    assert candidate(5) == 3\n"
        "    assert candidate(0) == 0\n"
        "check(half)\n"
    )
    assert run_tests(text, PROGRAM) == {"test_1": True, "test_2": False, "test_3": True}


def test_statements_before_an_assert_are_its_set_up() -> None:
    text = split(
        "def check(half):\n"
        "    assert half(4) == 2\n"
        "    big = 10 ** 3\n"
        "    assert half(big) == 500\n"
        "    assert half(2) == 1\n"
    )
    assert run_tests(text, PROGRAM) == {"test_1": True, "test_2": True, "test_3": True}
    assert text.count("big = 10 ** 3") == 2


def test_asserts_in_a_loop_stay_one_test() -> None:
    text = split(
        "def check(half):\n    for n in range(3):\n        assert half(2 * n) == n\n"
        "    assert half(7) == 4\n"
    )
    assert run_tests(text, PROGRAM) == {"test_1": False}


def test_a_variable_shared_by_asserts_is_not_split() -> None:
    text = split(
        "def check(half):\n"
        "    values = [8]\n"
        "    assert half(values.pop()) == 4\n"
        "    assert values == []\n"
    )
    assert run_tests(text, PROGRAM) == {"test_1": True}


def test_other_names_of_the_program_are_imported_when_used() -> None:
    text = split("def check(half):\n    assert half(helper(6)) == math.floor(3.2)\ncheck(half)\n")
    assert text.startswith("from program_under_split import half, helper, math\n")
    assert run_tests(text, PROGRAM) == {"test_1": True}


def test_text_without_check_is_refused() -> None:
    with pytest.raises(BadInputError, match="no function check"):
        split("def verify(half):\n    assert half(2) == 1\n")


def test_literal_arguments_of_calls_are_found() -> None:
    test = "def check(candidate):\n    assert candidate([1, 2], x) == candidate('a', -1.5)\n"
    assert find_argument_lists(test, "half") == [("a", -1.5)]
