"""Defects4J's bugs from the framework's metadata, and their repair from end to end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.core.errors import BadInputError
from apr.datasets.dataset import Dataset
from apr.datasets.defects4j.bugs import load
from apr.datasets.defects4j.metadata import Framework
from apr.datasets.defects4j.reference import reverse_diff
from support.e2e import Apr
from support.mini_defects4j import FROM_FIXED_TO_BUGGY, Mini, make_mini
from validation.runners.java import parse_project
from validation.workspace import SourceTree

TEXT = "src/main/java/mini/Text.java"


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Mini:
    return make_mini(tmp_path_factory.mktemp("defects4j"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def dataset(mini: Mini, work: Path) -> Dataset:
    return load(mini.framework, mini.repositories, work / "subjects", ["Mini"])


def test_a_subject_is_the_buggy_version_and_tells_nothing_of_the_fix(
    dataset: Dataset, mini: Mini
) -> None:
    (bug,) = dataset.bugs
    subject = Path(bug.subject)
    text = (subject / TEXT).read_text("utf-8")
    assert text == mini.fixed[TEXT].replace("<= size", ">= size")
    found = {path.name for path in subject.rglob("*") if path.is_file()}
    assert not found & {"changes.xml", "RELEASE-NOTES.txt", "HEAD"}
    assert {"Text.class", "TextTest.class", "LaterTest.class"} <= found


def test_the_metadata_says_which_tests_judge(dataset: Dataset) -> None:
    (bug,) = dataset.bugs
    project = parse_project(bug.test_command.argv)
    assert (bug.name, bug.trigger_tests) == ("Mini-1", ("mini.TextTest::cuts",))
    assert project.suite == ("mini.LaterTest", "mini.TextTest")
    assert project.excluded == ("mini.TextTest::isRandom",)


def test_the_reference_patch_leads_from_the_bug_to_the_fix(dataset: Dataset, mini: Mini) -> None:
    (bug,) = dataset.bugs
    sources = SourceTree(Path(bug.subject))
    diff = dataset.reference_patch(bug)
    assert diff is not None
    patch = patch_from_diff(parse_diff(diff.encode()), sources)
    assert patch.apply_edits(sources)[TEXT] == mini.fixed[TEXT]
    without_index = [line for line in FROM_FIXED_TO_BUGGY.splitlines() if "index" not in line]
    assert reverse_diff(diff).splitlines() == without_index


def test_a_bug_is_repaired(mini: Mini, dataset: Dataset, work: Path) -> None:
    apr = Apr(work)
    places = ("--framework", mini.framework, "--repositories", mini.repositories)
    common = ("defects4j", *places, "--projects", "Mini", "--output", work, "--format", "json")
    budget = ("--candidates", "30", "--jobs", "1")
    repaired = apr("bench", *common, "--localization", "perfect", *budget)
    assert repaired.returncode == 0, repaired.stderr
    (record,) = json.loads(repaired.stdout)["bugs"]
    assert (record["verdict"], record["exact"]) == ("plausible", True)
    assert "+        if (text.length() <= size) {" in record["diff"]


def test_the_check_knows_the_benchmark(mini: Mini, work: Path) -> None:
    places = ("--framework", mini.framework, "--repositories", mini.repositories)
    chosen = ("--projects", "Mini", "--only", "Mini-9")
    refused = Apr(work)("bench", "check", "defects4j", *places, *chosen)
    assert (refused.returncode, "no active bug Mini-9" in refused.stderr) == (2, True)


def test_the_program_defects4j_checks_out_where_no_clones_are_named(
    mini: Mini, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script answers as the program does: it cannot be installed without a network."""
    program = tmp_path / "bin" / "defects4j"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'case "$1 $3" in\n'
        f'"checkout Mini") cp -r {dataset.bugs[0].subject}/src "$7" && mkdir "$7/.git";;\n'
        '"export dir.src.classes") printf src/main/java;;\n'
        '"export dir.src.tests") printf src/test/java;;\n'
        '"export cp.test") printf target/classes:/nowhere/junit.jar;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    with pytest.raises(BadInputError, match="defects4j is not installed"):
        load(mini.framework, None, tmp_path, ["Mini"])
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (bug,) = load(mini.framework, None, tmp_path, ["Mini"]).bugs
    assert bug.test_command == dataset.bugs[0].test_command
    assert not (Path(bug.subject) / ".git").exists()


def test_what_is_missing_is_said(mini: Mini, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no active bug Mini-2"):
        load(mini.framework, mini.repositories, tmp_path, ["Mini"], ["Mini-2"])
    with pytest.raises(BadInputError, match="with a project Maxi"):
        load(mini.framework, mini.repositories, tmp_path, ["Maxi"])
    with pytest.raises(BadInputError, match="no clone of apache/mini"):
        load(mini.framework, tmp_path, tmp_path, ["Mini"])


def test_of_several_versions_of_a_library_the_last_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "framework" / "projects" / "Mini"
    (folder / "lib").mkdir(parents=True)
    (folder / "active-bugs.csv").write_text("bug.id\n")
    for name in ("h2-1.3.168", "h2-1.4.9", "h2-1.4.10", "junit-4.11", "easymock"):
        (folder / "lib" / f"{name}.jar").write_bytes(b"")
    found = Framework(tmp_path).libraries("Mini")
    assert [path.name for path in found] == ["easymock.jar", "h2-1.4.10.jar"]
