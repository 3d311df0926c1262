"""`apr validate`: verdicts on patches that are given, and one sentence on what cannot be judged."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from apr.cli.junit import render_junit
from apr.cli.validate import describe_reasons, read_patches
from apr.core.bug import TestId
from apr.core.errors import BadInputError
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict
from support.e2e import BUGS, Apr

pytestmark = pytest.mark.usefixtures("plain_python")

SUBJECT = BUGS / "off_by_one" / "subject"
CORRECT = BUGS / "off_by_one" / "correct.patch"

STALE = "--- a/moving.py\n+++ b/moving.py\n@@ -1,2 +1,2 @@\n nothing like it\n-at all\n+is there\n"
NEW_MODE = "diff --git a/moving.py b/moving.py\nold mode 100644\nnew mode 100755\n"
OUTSIDE = "--- /dev/null\n+++ b/../escaped.py\n@@ -0,0 +1 @@\n+x = 1\n"


@pytest.fixture
def apr(tmp_path: Path) -> Apr:
    return Apr(tmp_path)


def test_each_patch_gets_its_own_verdict(apr: Apr, tmp_path: Path) -> None:
    texts = {
        "breaks": CORRECT.read_text().replace("size + 1)]", "size + 2)]"),
        "nonsense": CORRECT.read_text().replace("size + 1)]", "size + 1)"),
        "renamed": "diff --git a/moving.py b/gone.py\nrename from moving.py\nrename to gone.py\n",
        "tests": _touching_tests(),
        "stale": STALE,
        "mode": NEW_MODE,
        "outside": OUTSIDE,
    }
    files = [CORRECT]
    for name, text in texts.items():
        files.append(tmp_path / f"{name}.patch")
        files[-1].write_text(text)
    options = [word for file in files for word in ("--patch", file)]
    done = apr("validate", SUBJECT, *options, "--format", "json", "-q")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    verdicts = {Path(each["patch"]).stem: each["verdict"] for each in document["patches"]}
    assert verdicts == {
        "correct": "plausible",
        "breaks": "still-fails",
        "nonsense": "does-not-build",
        "renamed": verdicts["renamed"],
        "tests": "tampered",
        "stale": "does-not-apply",
        "mode": "does-not-apply",
        "outside": "does-not-apply",
    }
    assert verdicts["renamed"] in ("does-not-build", "still-fails", "regresses")
    by_name = {Path(each["patch"]).stem: each for each in document["patches"]}
    assert by_name["correct"]["tests"]["stage"] == "confirm"
    assert "test" in by_name["breaks"]["first_failing"]["test"]
    assert "text alone" in by_name["mode"]["message"]


def _touching_tests() -> str:
    tests = next(path for path in SUBJECT.glob("**/test_*.py"))
    first = tests.read_text().splitlines()[0]
    name = tests.relative_to(SUBJECT).as_posix()
    second = f" {tests.read_text().splitlines()[1]}\n"
    head = f"--- a/{name}\n+++ b/{name}\n@@ -1,2 +1,3 @@\n"
    return f"{head}-{first}\n+{first}\n+import json\n{second}"


def test_a_good_patch_from_stdin_ends_with_zero(apr: Apr) -> None:
    import subprocess

    done = subprocess.run(
        apr.command("validate", SUBJECT, "--patch", "-", "-q"),
        env=apr.environment,
        input=CORRECT.read_text(),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "plausible" in done.stdout
    assert "2 of 2 pass" in done.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is no change in the diff"),
        (b"\x00\xff\x01 binary \n\n\x80" * 50, "there is no change in the diff"),
        (
            b"--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n",
            "line 3 of the diff: the hunk has other lines",
        ),
    ],
)
def test_what_is_no_diff_is_bad_input(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "p.patch"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match=said):
        read_patches([str(file)])


def test_patches_that_cannot_be_read_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read: No such file"):
        read_patches([str(tmp_path / "missing.patch")])
    with pytest.raises(BadInputError, match="Is a directory"):
        read_patches([str(tmp_path)])
    with pytest.raises(BadInputError, match="twice"):
        read_patches(["-", "-"])


def test_bad_input_ends_with_two_and_one_sentence(apr: Apr, tmp_path: Path) -> None:
    done = apr("validate", SUBJECT, "--patch", tmp_path / "missing.patch")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("apr: --patch")
    assert done.stderr.count("\n") == 1
    assert apr("validate", SUBJECT).returncode == 2


FAILED = TestResult(TestId("t.py::test_a"), TestOutcome.FAILED, message="\nassert 1 == 2\x1b[2J")
REPORTS = (
    ("good.patch", ValidationReport(Verdict.PLAUSIBLE, Stage.CONFIRM, duration_s=1.5)),
    ("bad.patch", ValidationReport(Verdict.REGRESSES, Stage.FULL, message="no", results=(FAILED,))),
    ("odd.patch", ValidationReport(Verdict.INCONCLUSIVE, Stage.CONFIRM)),
)


def test_junit_tells_failures_from_missing_verdicts() -> None:
    suite = ElementTree.fromstring(render_junit(REPORTS).encode())
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["error"]]
    told = suite[1][0]
    assert (told.get("type"), told.get("message")) == ("regresses", "no")
    assert told.text == "t.py::test_a: failed"


def test_reasons_are_safe_to_print() -> None:
    assert describe_reasons(REPORTS[1][1]) == ["no", "t.py::test_a (failed): assert 1 == 2\\x1b[2J"]
    assert describe_reasons(REPORTS[0][1]) == []
