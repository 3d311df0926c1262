"""An answer to a question of a run: a test that every patch of the next run passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apr.answers import add_test, choose_test
from apr.core.behaviour import Choice
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import BadInputError
from apr.settings import RunSettings
from apr.storage.codec import decode_bug, encode_bug
from apr.subject import prepare_subject
from support.e2e import Apr

TEXT = "import m\n\n\ndef test_zero():\n    assert m.f(0) == 1\n"
CHOICE = Choice("f(0)", (((1, 3), "returns 0"), ((2,), "returns 1")), ("A", ""), 0)


def bug(subject: Path, *argv: str, triggers: tuple[str, ...] = ()) -> Bug:
    command = TestCommand(RunnerKind.PYTEST, argv, "python")
    return Bug(str(subject), command, tuple(map(TestId, triggers)))


def test_the_test_of_the_chosen_patch_is_taken() -> None:
    assert choose_test([CHOICE], 1, 3) == ("A", False)
    other = Choice(CHOICE.call, CHOICE.answers, ("A", "B"), 0)
    assert choose_test([CHOICE, other], 2, 2) == ("B", True)


@pytest.mark.parametrize(
    ("number", "rank", "said"),
    [(2, 1, "no question 2: the run has 1 question"), (1, 4, "not about"), (1, 2, "no test")],
)
def test_what_nobody_asked_cannot_be_answered(number: int, rank: int, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        choose_test([CHOICE], number, rank)


def test_the_added_test_is_run_with_the_others_and_kept_with_the_bug(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    named = add_test(bug(tmp_path, "tests", triggers=("tests/t.py::t",)), TEXT, fails=True)
    assert named.test_command.argv == ("tests", "test_answer_1.py")
    assert named.trigger_tests == ("tests/t.py::t", "test_answer_1.py::test_zero")
    twice = add_test(add_test(bug(tmp_path, "-q"), TEXT, fails=True), TEXT, fails=False)
    assert twice.test_command.argv == ("-q",)
    assert twice.trigger_tests == ()
    assert [path for path, _ in twice.added_tests] == ["test_answer_1.py", "test_answer_2.py"]
    document = json.loads(json.dumps(encode_bug(twice)))
    assert decode_bug(document) == twice
    assert "added_tests" not in encode_bug(bug(tmp_path))


@pytest.mark.parametrize(("text", "said"), [("def", "no Python"), ("x = 1\n", "no function")])
def test_an_answer_must_be_a_test(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=said):
        add_test(bug(tmp_path), text, fails=False)


def test_the_test_is_in_every_copy_and_never_in_the_subject(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f(n):\n    return n\n")
    answered = add_test(bug(tmp_path), TEXT, fails=True)
    with prepare_subject(answered, RunSettings()) as subject:
        for root in (subject.workspace.root, subject.workspace.pristine):
            assert (root / "test_answer_1.py").read_text() == TEXT
        assert "test_answer_1.py" in subject.test_sources
    assert not (tmp_path / "test_answer_1.py").exists()
    (tmp_path / "test_answer_1.py").touch()
    with (
        pytest.raises(BadInputError, match="has a file test_answer_1"),
        prepare_subject(answered, RunSettings()),
    ):
        pass


def test_the_search_goes_on_with_the_answer(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "m.py").write_text("def larger(a, b):\n    return a if a < b else b\n")
    (subject / "test_m.py").write_text(
        "from m import larger\n\n\ndef test_larger():\n    assert larger(2, 1) == 2\n"
    )
    apr = Apr(tmp_path)
    options = ("--patches", "4", "--candidates", "60", "--compare-seconds", "3")
    first = json.loads(apr("fix", subject, *options, "--format", "json", "-q").stdout)
    question = first["behaviour"]["questions"][0]
    answer = next(each for each in question["answers"] if each["test"])
    refused = {patch["rank"] for patch in first["patches"]} - set(answer["patches"])
    assert refused
    done = apr("answer", first["run"], "1", str(answer["patches"][0]), "--format", "json", "-q")
    second = json.loads(done.stdout)
    assert (done.returncode, second["status"]) == (0, "succeeded")
    assert second["run"] != first["run"]
    diffs = {patch["diff"] for patch in second["patches"]}
    lost = {patch["diff"] for patch in first["patches"] if patch["rank"] in refused}
    assert diffs
    assert not diffs & lost
    again = apr("answer", first["run"], "9", "1", "-q")
    assert (again.returncode, again.stdout) == (2, "")
    assert "no question 9" in again.stderr
