"""BugsInPy's metadata becomes subjects without a fix and without a history."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind
from apr.core.errors import BadInputError
from apr.datasets import bugsinpy
from apr.datasets.dataset import Dataset
from support.tiny_benchmarks import make_bugsinpy


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    make_bugsinpy(tmp_path)
    return tmp_path / "BugsInPy", tmp_path / "clones", tmp_path / "work"


def load(places: tuple[Path, Path, Path], *names: str) -> Dataset:
    return bugsinpy.load(*places, names=names or None)


def test_subject_is_the_buggy_commit_with_the_tests_of_the_fixed_one(
    places: tuple[Path, Path, Path],
) -> None:
    dataset = load(places, "shop-1")
    bug = pickle.loads(pickle.dumps(dataset)).prepare(dataset.bugs[0])
    files = {p.relative_to(bug.subject).as_posix() for p in Path(bug.subject).rglob("*.*")}
    assert files == {"shop/cart.py", "shop/__init__.py", "test/__init__.py", "test/test_cart.py"}
    assert "a < b" in Path(bug.subject, "shop/cart.py").read_text()
    assert bug.test_command.kind is RunnerKind.UNITTEST
    assert bug.test_command.argv == ("test.test_cart",)
    assert bug.trigger_tests == ("test.test_cart.TestCart.test_larger",)
    patch = dataset.reference_patch(bug)
    assert patch is not None
    assert "+    return a if a > b else b" in patch


def test_a_name_of_several_tests_makes_all_that_fail_the_trigger(
    places: tuple[Path, Path, Path],
) -> None:
    dataset = load(places, "shop-2")
    bug = dataset.prepare(dataset.bugs[0])
    assert bug.test_command.kind is RunnerKind.PYTEST
    assert bug.test_command.argv[-1] == "test/test_param.py"
    assert bug.trigger_tests == ()


def test_scripts_of_both_runners_are_read_as_pytest() -> None:
    text = (
        "pytest -q -s test/test_a.py::test_b\n\npython3 -m unittest -q test.test_a.TestA.test_c\n"
    )
    command = bugsinpy.parse_script(text, "shop-9")
    assert command.runner is RunnerKind.PYTEST
    assert command.tests == ("test/test_a.py::test_b", "test/test_a.py::TestA::test_c")


def test_what_is_not_there_is_said(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no checkout of BugsInPy"):
        bugsinpy.load(tmp_path, tmp_path, tmp_path)
    with pytest.raises(BadInputError, match="no project pandas"):
        bugsinpy.load(*places, projects=["pandas"])
    with pytest.raises(BadInputError, match="no bug named shop-7"):
        load(places, "shop-7")


def test_a_bug_that_cannot_be_run_stays_in_the_count(places: tuple[Path, Path, Path]) -> None:
    dataset = load(places)
    assert [bug.name for bug in dataset.bugs] == ["shop-1", "shop-2", "shop-3"]
    with pytest.raises(BadInputError, match="shop-3 is run by tox"):
        dataset.prepare(dataset.bugs[2])
