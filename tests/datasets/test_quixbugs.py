from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.datasets import quixbugs
from apr.datasets.differential import compare_programs, process_execute

FILES = {
    "conftest.py": "import pytest\n\n\ndef pytest_configure(config):\n"
    "    pytest.use_correct = False\n    pytest.run_slow = False\n",
    "python_programs/gcd.py": "def gcd(a, b):\n    return a if b == 0 else gcd(b, b % a)\n",
    "python_programs/gcd_test.py": "from gcd import gcd\n",
    "python_programs/detect_cycle.py": "def detect_cycle(node):\n    return False\n",
    "correct_python_programs/gcd.py": "def gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)\n",
    "correct_python_programs/detect_cycle.py": (
        "def detect_cycle(node):\n    seen = set()\n    while node and node not in seen:\n"
        "        seen.add(node)\n        node = node.successor\n    return node is not None\n"
    ),
    "python_testcases/load_testdata.py": (
        "import json\nfrom pathlib import Path\n\n\ndef load_json_testcases(name):\n"
        "    path = Path(__file__).parents[1] / 'json_testcases' / f'{name}.json'\n"
        "    return [json.loads(line) for line in path.read_text().splitlines()]\n"
    ),
    "python_testcases/node.py": "class Node:\n    successor = None\n",
    "python_testcases/test_gcd.py": (
        "import pytest\nfrom load_testdata import load_json_testcases\n"
        "from python_programs.gcd import gcd\n\n\n"
        "@pytest.mark.parametrize('data,expected', load_json_testcases('gcd'))\n"
        "def test_gcd(data, expected):\n    assert gcd(*data) == expected\n"
    ),
    "python_testcases/test_detect_cycle.py": (
        "from node import Node\nfrom python_programs.detect_cycle import detect_cycle\n\n\n"
        "def test1():\n    node = Node()\n    node.successor = node\n"
        "    assert detect_cycle(node)\n"
    ),
    "json_testcases/gcd.json": "[[17, 0], 17]\n[[20, 8], 4]\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "checkout"


def files_of(subject: Path) -> set[str]:
    return {str(path.relative_to(subject)) for path in subject.rglob("*") if path.is_file()}


def test_subject_holds_only_what_its_tests_need(root: Path, tmp_path: Path) -> None:
    dataset = quixbugs.load(root, tmp_path / "work")
    assert [bug.name for bug in dataset.bugs] == ["detect_cycle", "gcd"]
    assert files_of(tmp_path / "work" / "detect_cycle") == {
        "conftest.py",
        "pytest.ini",
        "python_programs/detect_cycle.py",
        "python_testcases/node.py",
        "python_testcases/test_detect_cycle.py",
    }
    assert files_of(tmp_path / "work" / "gcd") == {
        "conftest.py",
        "json_testcases/gcd.json",
        "pytest.ini",
        "python_programs/gcd.py",
        "python_testcases/load_testdata.py",
        "python_testcases/test_gcd.py",
    }


def test_only_the_buggy_program_may_be_patched(root: Path, tmp_path: Path) -> None:
    (bug,) = quixbugs.load(root, tmp_path / "work", names=["gcd"], python="py").bugs
    assert bug.source_globs == ("python_programs/gcd.py",)
    assert bug.test_command.argv == ("python_testcases/test_gcd.py",)
    assert bug.test_command.python == "py"


def test_subject_runs_on_its_own(
    root: Path, tmp_path: Path, run_here: Callable[..., dict[str, bool]]
) -> None:
    (bug,) = quixbugs.load(root, tmp_path / "work", names=["gcd"]).bugs
    assert list(run_here(Path(bug.subject), *bug.test_command.argv).values()) == [True, False]


def test_loading_needs_no_correct_version(root: Path, tmp_path: Path) -> None:
    for path in (root / "correct_python_programs").iterdir():
        path.unlink()
    assert len(quixbugs.load(root, tmp_path / "work")) == 2


@pytest.mark.parametrize("name", ["gcd", "detect_cycle"])
def test_reference_tells_the_bug_from_itself(name: str, root: Path, tmp_path: Path) -> None:
    dataset = quixbugs.load(root, tmp_path / "work", names=[name])
    reference = dataset.reference_program(dataset.bugs[0])
    assert reference is not None
    buggy = (Path(dataset.bugs[0].subject) / reference.path).read_text()
    for source, differs in ((reference.source, False), (buggy, True)):
        comparison = compare_programs(
            source, reference.source, name, reference.cases(3), process_execute()
        )
        assert (comparison.first_difference is not None) is differs


def test_wrong_roots_and_names_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no QuixBugs checkout"):
        quixbugs.load(tmp_path, tmp_path / "work")
    with pytest.raises(BadInputError, match="no program named lcm"):
        quixbugs.load(root, tmp_path / "work", names=["lcm"])
