"""Counts, times and names as they are shown."""

import pytest

from apr.cli.text import count, duration, first_line, one_line, shorten


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.42, "0.42 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_keep_two_or_three_digits(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_counts_know_their_plural() -> None:
    assert count(1, "test") == "1 test"
    assert count(1234, "test") == "1,234 tests"
    assert count(2, "patch", "patches") == "2 patches"


def test_control_characters_are_escaped_and_lines_joined() -> None:
    assert one_line("a\x1b[31m\nb\u202ec") == "a\\x1b[31m b\\u202ec"


def test_the_first_line_that_says_something_is_the_gist() -> None:
    assert first_line("\n  \nE: one\nE: two") == "E: one"
    assert first_line("\n") == ""


def test_a_long_name_is_cut_in_the_middle() -> None:
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert shorten("abcdefghij", 4) == "ab…j"
    assert shorten("abc", 3) == "abc"
