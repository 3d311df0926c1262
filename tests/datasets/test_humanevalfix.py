from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind
from apr.core.errors import BadInputError
from apr.datasets import humanevalfix
from apr.datasets.differential import compare_programs, process_execute

ROWS = [
    {
        "task_id": "Python/900",
        "declaration": "from typing import List\n\n\ndef smallest(items: List[int]) -> int:\n",
        "buggy_solution": "    return max(items)\n",
        "canonical_solution": "    return sorted(items)[0]\n",
        "test": (
            "def check(smallest):\n    assert smallest([7]) == 7\n"
            "    assert smallest([3, 1, 2]) == 1\n\ncheck(smallest)\n"
        ),
        "entry_point": "smallest",
        "bug_type": "function misuse",
    },
    {
        "task_id": "Python/901",
        "declaration": "def shout(text: str):\n",
        "buggy_solution": "    return text\n",
        "canonical_solution": "    return text.upper()\n",
        "test": (
            "def check(candidate):\n    for word in ('a', 'b'):\n"
            "        assert candidate(word) == word.upper()\n\ncheck(shout)\n"
        ),
        "entry_point": "shout",
    },
]


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "bugs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_bug_has_one_source_file_and_its_tests(jsonl: Path, tmp_path: Path) -> None:
    dataset = humanevalfix.load(jsonl, tmp_path / "work", python="python3.11")
    bug = dataset.bugs[0]
    assert (bug.name, bug.source_globs) == ("Python/900", ("solution.py",))
    assert bug.test_command.kind is RunnerKind.PYTEST
    assert bug.test_command.python == "python3.11"
    assert bug.properties == (("bug_type", "function misuse"),)


def test_split_tests_pass_and_fail_in_a_real_run(
    jsonl: Path, tmp_path: Path, run_here: Callable[..., dict[str, bool]]
) -> None:
    bug = humanevalfix.load(jsonl, tmp_path / "work").bugs[0]
    assert run_here(Path(bug.subject), *bug.test_command.argv) == {
        "test_solution.py::test_1": True,
        "test_solution.py::test_2": False,
    }


def test_canonical_solution_is_never_written(jsonl: Path, tmp_path: Path) -> None:
    humanevalfix.load(jsonl, tmp_path / "work")
    texts = [p.read_text() for p in (tmp_path / "work").rglob("*") if p.is_file()]
    assert len(texts) == 6
    assert not any("sorted(items)" in text for text in texts)


def test_loading_twice_writes_the_same_bytes(jsonl: Path, tmp_path: Path) -> None:
    def contents(work: Path) -> dict[str, bytes]:
        humanevalfix.load(jsonl, work)
        files = [path for path in work.rglob("*") if path.is_file()]
        return {str(path.relative_to(work)): path.read_bytes() for path in files}

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_reference_tells_the_bug_from_itself(jsonl: Path, tmp_path: Path) -> None:
    dataset = humanevalfix.load(jsonl, tmp_path / "work")
    for bug in dataset.bugs:
        reference = dataset.reference_program(bug)
        assert reference is not None
        buggy = (Path(bug.subject) / reference.path).read_text()
        same, other = (
            compare_programs(
                source,
                reference.source,
                reference.entry_point,
                reference.cases(0),
                process_execute(),
            )
            for source in (reference.source, buggy)
        )
        assert same.first_difference is None
        assert same.agreed >= 15
        assert other.first_difference is not None


def test_names_select_bugs(jsonl: Path, tmp_path: Path) -> None:
    dataset = humanevalfix.load(jsonl, tmp_path / "work", names=["Python/901"])
    assert [bug.name for bug in dataset.bugs] == ["Python/901"]
    with pytest.raises(BadInputError, match="no bug named Python/7"):
        humanevalfix.load(jsonl, tmp_path / "work", names=["Python/7"])


def test_other_languages_and_broken_files_are_refused(jsonl: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cobol cannot be loaded"):
        humanevalfix.load(jsonl, tmp_path / "work", language="cobol")
    jsonl.write_text('{"task_id": "Python/1"}\n')
    with pytest.raises(BadInputError, match="lacks declaration, buggy_solution"):
        humanevalfix.load(jsonl, tmp_path / "work")
    with pytest.raises(BadInputError, match="cannot be read"):
        humanevalfix.load(tmp_path / "absent.jsonl", tmp_path / "work")
