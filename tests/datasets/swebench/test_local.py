"""Instances as subjects: what a checkout holds, and what it must not."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.datasets.checkouts import find_clone
from apr.datasets.swebench.instances import Instance, load_instances
from apr.datasets.swebench.local import Places, make_bug, trigger_tests
from support.tiny_repository import BUGGY, make_repository


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "clones", tmp_path / "cache", sys.executable)


@pytest.fixture
def instance(places: Places, tmp_path: Path) -> Instance:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([make_repository(places.repositories)]))
    (found,) = load_instances(path).values()
    return found


def test_a_checkout_is_the_base_commit_with_its_tests_and_no_history(
    instance: Instance, places: Places
) -> None:
    bug = make_bug(instance, places)
    subject = Path(bug.subject)
    names = {path.name for path in subject.iterdir()}
    assert names == {".gitattributes", "data.txt", "shop.py", "test_old.py", "test_shop.py"}
    assert (subject / "shop.py").read_text() == BUGGY
    assert bug.test_command.argv[-1] == "test_shop.py"
    assert bug.trigger_tests == ("test_shop.py::test_double",)
    assert bug.issue_text == "double(5) is 7"


def test_a_checkout_is_made_once(instance: Instance, places: Places) -> None:
    first = Path(make_bug(instance, places).subject)
    (first / "mark").touch()
    second = Path(make_bug(instance, places).subject)
    assert (second / "mark").exists()
    other = replace(instance, test_patch=instance.test_patch.replace("10", "11"))
    assert Path(make_bug(other, places).subject) != first


def test_nothing_half_made_stays_behind(instance: Instance, places: Places) -> None:
    broken = replace(instance, base_commit="f" * 40)
    with pytest.raises(BadInputError, match="git failed"):
        make_bug(broken, places)
    assert not [path for path in places.cache.rglob("*") if path.name.startswith("tiny")]


def test_clones_are_found_under_their_customary_names(tmp_path: Path) -> None:
    for name in ("one__a", "two/b", "c"):
        (tmp_path / name / "objects").mkdir(parents=True)
    found = [find_clone(name, tmp_path) for name in ("one/a", "two/b", "three/c")]
    assert found == [tmp_path / "one__a", tmp_path / "two/b", tmp_path / "c"]
    with pytest.raises(BadInputError, match="no clone of four/d, such as four__d"):
        find_clone("four/d", tmp_path)


def test_names_without_a_file_are_looked_for_in_all_test_files(instance: Instance) -> None:
    named = replace(instance, fail_to_pass=("test_a", "x.py::test_b"))
    expected = ("p.py::test_a", "q.py::test_a", "x.py::test_b")
    assert trigger_tests(named, ["p.py", "q.py"]) == expected
