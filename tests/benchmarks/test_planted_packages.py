"""A planted difference is hidden from the suite, and is proven by what was hidden."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from support.scripts import load_script

PRICES = """
def total(prices, discount=0):
    summed = 0
    for price in prices:
        summed += price
    if discount > 50:
        raise ValueError("too much")
    return summed - discount
"""
TESTS = """
from prices import total

AT_IMPORT = total([7], 2)


def test_sum():
    assert total([1, 2]) == 3


def test_nothing():
    assert total([]) == 0


def test_discount():
    assert total([10], 4) == 6


def test_of_import():
    assert AT_IMPORT == 5


def test_broken():
    assert total([1]) == 2
"""


@pytest.fixture(scope="module")
def script():
    names = ("planted_changes", "planted_pairs", "planted_packages")
    folder = Path(__file__).parents[2] / "benchmarks"
    return [load_script(folder / f"{name}.py") for name in names][-1]


def test_the_suite_that_is_left_passes_on_both_sides_and_what_is_hidden_on_one(
    script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "MUTANTS_A_FUNCTION", 1)
    root = tmp_path / "prices-1.0"
    script.write_files(root, {"prices.py": PRICES, "test_prices.py": TESTS})
    script.write_files(root, {"pytest.ini": script.CONFIGURATION})
    package = script.Package("prices-1.0", root)
    pairs = package.make_pairs(1, Random(3))
    positives = [pair for pair in pairs if pair.differs]
    assert positives
    assert [pair for pair in pairs if not pair.differs]
    pair = positives[0]
    package.write(tmp_path / "left", pair, package.sources[pair.path])
    package.write(tmp_path / "right", pair, pair.text)
    assert run(tmp_path / "left") == run(tmp_path / "right") == 0
    names = ("broken", "discount", "of_import")  # the last one calls nothing while it runs
    assert pair.hidden == tuple(f"test_prices.py::test_{name}" for name in names)
    hidden = pair.hidden[1:]
    script.write_files(tmp_path / "right", {"pytest.ini": script.CONFIGURATION})
    assert run(root, *hidden) == 0
    assert run(tmp_path / "right", *hidden) == 1


def run(root: Path, *tests: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True)
    return done.returncode
