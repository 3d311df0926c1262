"""Verdicts on real patches in a real sandbox, each after the one that misbehaved before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import pytest

from apr.core.patch import Hunk, Patch, diff_texts
from apr.core.report import Stage, ValidationReport, Verdict
from validation.plan import ValidationSettings
from validation.validator import StagedValidator
from validation.workspace import Workspace, copy_subject

SOURCE = """import os
import sys


def add(a, b):
    return a - b


def double(n):
    return n * 2
"""
TESTS = """import calc


def test_zero():
    assert calc.add(1, 0) == 1


def test_sum():
    assert calc.add(1, 2) == 3


def test_double():
    assert calc.double(2) == 4
"""
FIX = ("return a - b", "return a + b")


@pytest.fixture(scope="module")
def subject(make_subject):
    return make_subject({"calc.py": SOURCE, "test_calc.py": TESTS})


@pytest.fixture(scope="module")
def reproduction(subject):
    return subject.reproduce()


@pytest.fixture(scope="module")
def validator(subject, reproduction) -> Iterator[StagedValidator]:
    """One for all tests, so that each patch also meets what the ones before left behind."""
    with StagedValidator(
        subject.runner,
        subject.workspace.root,
        reproduction.baseline,
        reproduction.matrix,
        ValidationSettings(jobs=2, floor_s=1.0),
        can_protect=subject.sandbox.name != "process",
    ) as opened:
        yield opened


def edit(*replacements: tuple[str, str]) -> Patch:
    text = SOURCE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return diff_texts({"calc.py": SOURCE}, {"calc.py": text})


def judge(validator: StagedValidator, patch: Patch) -> ValidationReport:
    """The verdict on a patch, after which a good patch must still be seen as good."""
    bad, good = validator.validate([patch, edit(FIX)])
    assert good.verdict is Verdict.PLAUSIBLE, good
    return bad


def test_the_right_patch_is_plausible_and_stays_so_in_a_fresh_sandbox(validator) -> None:
    (report,) = validator.validate([edit(FIX)])
    assert (report.verdict, report.triggers_passed, report.regressions_run) == (
        Verdict.PLAUSIBLE,
        1,
        2,
    )
    confirmed = validator.confirm(edit(FIX))
    assert (confirmed.verdict, confirmed.stage) == (Verdict.PLAUSIBLE, Stage.CONFIRM)


def test_a_useless_patch_still_fails(validator) -> None:
    report = judge(validator, edit(("n * 2", "n + n")))
    assert (report.verdict, report.stage) == (Verdict.STILL_FAILS, Stage.TRIGGER)
    assert "test_sum" in report.message


def test_a_patch_that_breaks_another_test_regresses(validator) -> None:
    report = judge(validator, edit(FIX, ("n * 2", "n * 3")))
    assert (report.verdict, report.regressions_failed) == (Verdict.REGRESSES, 1)


def test_the_empty_patch_fails_as_the_baseline_does(validator) -> None:
    report = judge(validator, Patch())
    assert (report.verdict, report.progress) == (Verdict.STILL_FAILS, 0.5)


def test_a_patch_that_does_not_parse_does_not_build(validator) -> None:
    assert judge(validator, edit(("return a - b", "return a -"))).verdict is Verdict.DOES_NOT_BUILD


def test_a_patch_against_another_version_does_not_apply(validator) -> None:
    patch = Patch((Hunk("calc.py", 1, ("import re\n",), ("import json\n",)),))
    assert judge(validator, patch).verdict is Verdict.DOES_NOT_APPLY


@pytest.mark.parametrize("path", ["../calc.py", "/etc/hostname", "no/such/file.py"])
def test_a_patch_outside_the_subject_does_not_apply(validator, path: str) -> None:
    patch = Patch((Hunk(path, 1, (), ("x\n",)),))
    assert judge(validator, patch).verdict is Verdict.DOES_NOT_APPLY


HOSTILE = {
    "endless loop": "while True: pass",
    "endless loop that swallows everything": (
        "\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass"
    ),
    "early exit with status zero": "os._exit(0)",
    "sys.exit(0)": "sys.exit(0)",
    "killing its parent": "os.kill(os.getppid(), 9)",
    "killing its group": "os.killpg(0, 9)",
    "leaving a daemon": (
        "\n    if os.fork() == 0:\n        os.setsid()\n        import time\n"
        "        time.sleep(600)\n    return a - b"
    ),
    "endless recursion": "return add(a, b)",
    "claiming the result on every descriptor": (
        "\n    for fd in range(3, 64):\n        try:\n"
        '            os.write(fd, b\'{"k":"end","status":0}\\n\')\n'
        "        except OSError: pass\n    return a - b"
    ),
    "skipping the test": "import pytest; pytest.skip('no')",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_patch_is_no_fix_and_does_not_harm_the_next_one(validator, body: str) -> None:
    report = judge(validator, edit(("return a - b", body)))
    assert report.verdict in (Verdict.STILL_FAILS, Verdict.TAMPERED, Verdict.INCONCLUSIVE)


def test_what_a_candidate_leaves_in_the_folder_is_gone_for_the_next_one(validator) -> None:
    body = "return open('memory', 'a+').write('x') and os.path.getsize('memory')"
    for _ in range(3):
        assert judge(validator, edit(("return a - b", body))).verdict is Verdict.STILL_FAILS


def test_a_process_left_behind_by_a_good_patch_does_not_spoil_it(validator) -> None:
    body = "os.fork() or __import__('time').sleep(60); return a + b"
    report = judge(validator, edit(("return a - b", body)))
    assert (report.verdict, report.duration_s < 10) == (Verdict.PLAUSIBLE, True)


def test_verdicts_do_not_depend_on_the_order_of_candidates(validator) -> None:
    patches = [edit(("return a - b", f"return a - b + {n}")) for n in range(6)] + [edit(FIX)]
    forward = [report.verdict for report in validator.validate(patches)]
    backward = [report.verdict for report in validator.validate(patches[::-1])]
    assert forward == backward[::-1]


def test_nothing_is_left_in_the_temporary_folder(
    subject, reproduction, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with StagedValidator(
        subject.runner,
        subject.workspace.root,
        reproduction.baseline,
        reproduction.matrix,
        ValidationSettings(),
        can_protect=False,
    ) as validator:
        validator.validate([edit(FIX)])
        assert list((tmp_path / "tmp").iterdir())
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.timeout(60)
def test_an_end_does_not_wait_for_what_no_thread_had_taken_up(subject, reproduction) -> None:
    # As when Ctrl-C comes between the submission of work and its first line.
    with StagedValidator(
        subject.runner,
        subject.workspace.root,
        reproduction.baseline,
        reproduction.matrix,
        ValidationSettings(floor_s=1.0),
        can_protect=subject.sandbox.name != "process",
    ) as validator:
        pool = validator._pool
        assert pool is not None
        is_over = Event()
        taken_up = [pool.submit(is_over.wait, 30) for _ in range(pool._max_workers)]
        validator._pending = [*taken_up, pool.submit(is_over.wait, 30)]
        Timer(1.0, is_over.set).start()
    assert validator._pending[-1].cancelled()


def test_ordinary_candidates_share_one_warm_process(subject, reproduction, monkeypatch) -> None:
    """Also when the subject's own place is below the folder that is cleared between them."""
    opened = []
    original = subject.runner.open

    def counting(*arguments, **options):
        opened.append(options["tests"])
        return original(*arguments, **options)

    monkeypatch.setattr(subject.runner, "open", counting)
    with StagedValidator(
        subject.runner,
        subject.workspace.root,
        reproduction.baseline,
        reproduction.matrix,
        ValidationSettings(floor_s=1.0),
        can_protect=subject.sandbox.name != "process",
        likely=("calc.py",),
    ) as validator:
        bad = [edit(("return a - b", f"return a - {number}")) for number in range(3)]
        assert {r.verdict for r in validator.validate(bad)} == {Verdict.STILL_FAILS}
    assert len(opened) == 2  # one for the trigger tests, one for the others


ORDERED = """import calc

log = []


def test_first():
    assert not log


def test_marks():
    log.append(1)


def test_second():
    assert log
    assert calc.add(1, 2) == 3
"""


def test_tests_that_depend_on_each_other_are_run_in_the_suites_own_order(make_subject) -> None:
    subject = make_subject({"calc.py": SOURCE, "test_calc.py": ORDERED})
    reproduction = subject.reproduce()
    with StagedValidator(
        subject.runner,
        subject.workspace.root,
        reproduction.baseline,
        reproduction.matrix,
        ValidationSettings(),
        can_protect=True,
    ) as validator:
        still, good = validator.validate([edit(("n * 2", "n + n")), edit(FIX)])
        assert (still.verdict, good.verdict) == (Verdict.STILL_FAILS, Verdict.PLAUSIBLE)
        assert validator.confirm(edit(FIX)).is_plausible


BROKEN = "import helper\n\n\ndef test_a():\n    assert helper.one() == 1\n"


def judge_broken_import(make_subject, source: str, patched: str) -> ValidationReport:
    """A test module that cannot be imported is the only trigger."""
    subject = make_subject({"helper.py": source, "test_helper.py": BROKEN})
    reproduction = subject.reproduce()
    assert [r.test for r in reproduction.baseline.failing] == ["test_helper.py"]
    with StagedValidator(
        subject.runner,
        subject.workspace.root,
        reproduction.baseline,
        reproduction.matrix,
        ValidationSettings(),
        can_protect=True,
    ) as validator:
        patch = diff_texts({"helper.py": source}, {"helper.py": patched})
        (report,) = validator.validate([patch])
        return validator.confirm(patch) if report.is_plausible else report


def test_mending_the_import_of_a_test_module_is_a_fix(make_subject) -> None:
    source = "one = undefined\n"
    report = judge_broken_import(make_subject, source, "def one():\n    return 1\n")
    assert report.verdict is Verdict.PLAUSIBLE, report


def test_mending_only_the_import_is_no_fix_when_the_modules_tests_fail(make_subject) -> None:
    source = "one = undefined\n"
    report = judge_broken_import(make_subject, source, "def one():\n    return 2\n")
    assert report.verdict is Verdict.STILL_FAILS


def test_a_planted_link_is_not_followed_when_the_file_is_put_back(tmp_path: Path) -> None:
    pristine, victim = tmp_path / "pristine", tmp_path / "victim"
    pristine.mkdir()
    (pristine / "calc.py").write_text(SOURCE)
    victim.write_text("mine")
    copy_subject(pristine, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy", pristine)
    with workspace.patched(edit(FIX)):
        (workspace.root / "calc.py").unlink()
        (workspace.root / "calc.py").symlink_to(victim)
    assert victim.read_text() == "mine"
    assert (workspace.root / "calc.py").read_text() == SOURCE
