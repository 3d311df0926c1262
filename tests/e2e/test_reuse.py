"""A second run of the same bug takes its verdicts from the first, and finds the same tree."""

from __future__ import annotations

import json
from pathlib import Path

from support.e2e import BUGS, Apr

OPTIONS = ("--candidates", 60, "--seed", 3, "--format", "json")


def outcome(apr: Apr, *options: str) -> tuple[int, list[dict]]:
    """The number of validations of a new run, and its tree without the times."""
    done = apr("fix", BUGS / "two_edits" / "subject", *OPTIONS, *options)
    assert done.returncode in (0, 1), done.stderr
    validations = json.loads(done.stdout)["usage"]["validations"]
    return validations, json.loads(apr("tree", "last", "--format", "json").stdout)["nodes"]


def test_what_was_judged_before_is_not_judged_again(tmp_path: Path) -> None:
    apr = Apr(tmp_path)
    first, tree = outcome(apr)
    second, same_tree = outcome(apr)
    anew, honest_tree = outcome(apr, "--no-cache")
    assert tree == same_tree == honest_tree
    # What hangs is judged each time: whether it does is a matter of time.
    assert first > 30
    assert second < first / 4
    assert anew >= first
