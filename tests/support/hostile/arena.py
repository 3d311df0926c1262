"""Runs hostile patches through the whole path of a repair, and looks for every trace of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.core.errors import MalformedDiffError, PatchDoesNotApplyError
from apr.core.oracle import Oracle
from apr.core.patch import Patch
from apr.core.report import Stage, ValidationReport, Verdict
from apr.repair import Confirming, measure_oracle, open_validator
from apr.settings import RunSettings
from apr.subject import PreparedSubject, prepare_subject
from support.harness_target import NO_PLUGINS
from support.hostile import witnesses
from support.hostile.cases import (
    RUNNERS_OF_THEIR_OWN,
    SUBJECTS,
    Case,
    fill,
    honest_patch,
    hostile_patch,
)
from validation.sandbox import PROMISES
from validation.validator import StagedValidator
from validation.workspace import SourceTree

TOKEN_VARIABLE = "CALC_TOKEN"
SECRET_VARIABLE = "APR_HOSTILE_SECRET"
TEST_LIMIT_S, SUITE_LIMIT_S = 2.0, 60.0
KEY = 0x41505221  # of System V objects; nobody else on the machine is likely to use it


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one hostile patch.

    `escapes` and `leaks` name what was noticed outside of the sandbox and what was left behind;
    `after_good` and `after_wrong` are the verdicts on the two honest candidates that followed.
    """

    case: Case
    backend: str
    gate: bool
    verdict: Verdict
    stage: Stage
    message: str
    escapes: tuple[str, ...]
    leaks: tuple[str, ...]
    after_good: Verdict
    after_wrong: Verdict
    duration_s: float

    @property
    def is_fooled(self) -> bool:
        """The attacker's patch is taken for a fix."""
        return self.verdict is Verdict.PLAUSIBLE

    @property
    def harms_the_next(self) -> bool:
        """A candidate judged after it got a wrong verdict."""
        after = (self.after_good, self.after_wrong)
        return after != (Verdict.PLAUSIBLE, Verdict.STILL_FAILS)


@dataclass(frozen=True, slots=True)
class _Judges:
    """The entered validator, alone and as a repair uses it."""

    staged: StagedValidator
    confirming: Confirming


class Arena:
    """One backend with a warm validator for each subject and state of the gate.

    All attacks share the validators, so that each also meets what the ones before it left.
    """

    def __init__(self, backend: str, folder: Path, image: str | None = None) -> None:
        self.backend = backend
        self.token = f"aprhostile{secrets.token_hex(6)}"
        self._image = image
        self._stack = contextlib.ExitStack()
        self._folder = folder
        self._temporary = folder / "temporary"
        self._temporary.mkdir()
        self._ready: dict[tuple[str, bool], _Judges] = {}
        self._subjects: dict[str, tuple[PreparedSubject, Oracle]] = {}
        self._pristine: dict[str, dict[str, bytes]] = {}
        self._numbers = itertools.count(1000)

    def __enter__(self) -> Arena:
        self._canaries = witnesses.Canaries(self._folder / "canaries")
        self._stack.enter_context(_temporary_folder(self._temporary))
        self._stack.enter_context(_variable(SECRET_VARIABLE, self.token))
        self._victim = witnesses.Victim()
        self._stack.callback(self._victim.close)
        self._listeners = witnesses.Listeners(self._folder, self.token)
        self._stack.callback(self._listeners.close)
        self._resources = self._stack.enter_context(contextlib.ExitStack())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Those that have been attacked so far."""
        return tuple(self._subjects)

    def attack(self, case: Case, *, gate: bool) -> Finding:
        """Judge the hostile patch, look around, and judge two honest ones after it."""
        values = self._values()
        started = time.monotonic()
        report = self._judge(case, values, gate)
        duration_s = time.monotonic() - started
        mark = values["MARK"]
        escapes = self._escapes(mark)
        leaks = witnesses.eventually_empty(lambda: self._still_alive(mark))
        if report.stage is Stage.APPLY:  # nothing of it has run
            good, wrong = Verdict.PLAUSIBLE, Verdict.STILL_FAILS
        else:
            good, wrong = self._honest(case.subject, gate)
            # A warm process clears up its scratch copy before the next candidate, not after each.
            leaks += witnesses.files_with(mark, self._temporary)
        return Finding(
            case, self.backend, gate, report.verdict, report.stage, report.message,
            tuple(escapes), tuple(leaks), good, wrong, duration_s,
        )  # fmt: skip

    def _values(self) -> dict[str, str]:
        return {
            "MARK": f"mark{secrets.token_hex(6)}",
            "CANARY": str(self._canaries.folder),
            "TCP": str(self._listeners.tcp),
            "UDP": str(self._listeners.udp),
            "UNIX": self._listeners.unix_path,
            "ABSTRACT": self._listeners.abstract,
            "VICTIM": str(self._victim.pid),
            "SECRET": SECRET_VARIABLE,
            "KEY": str(KEY),
            "CR": "\r",
            "NESTED": "(" * 20_000 + ")" * 20_000,
            "LINES": "\n".join("+# line" for _ in range(500_000)),
            "LONG": "x" * 2**24,
            "DOCKER": os.environ.get("DOCKER_HOST", "").removeprefix("unix://"),
        }

    def _judge(self, case: Case, values: Mapping[str, str], gate: bool) -> ValidationReport:
        judge = self._validators(case.subject, gate)
        try:
            patch = self._patch(case, values)
        except PatchDoesNotApplyError as error:
            return ValidationReport(Verdict.DOES_NOT_APPLY, Stage.APPLY, message=str(error))
        return only(judge.confirming.validate([patch]))

    def _patch(self, case: Case, values: Mapping[str, str]) -> Patch:
        """The patch of a case; of one that is a diff, what `apr validate` makes of it."""
        if not case.diff:
            return hostile_patch(case, values)
        try:
            changes = parse_diff(fill(case.diff, values).lstrip("\n").encode())
        except MalformedDiffError as error:
            raise PatchDoesNotApplyError(str(error)) from error
        return patch_from_diff(
            changes, SourceTree(self._subjects[case.subject][0].workspace.pristine)
        )

    def _honest(self, subject: str, gate: bool) -> tuple[Verdict, Verdict]:
        """Verdicts on the right patch and on one that changes nothing, both never seen before.

        A runner of the subject's own is started anew for each: there, one of them will do.
        """
        judges = self._validators(subject, gate)
        number = next(self._numbers)
        patches = [honest_patch(subject, number, right=right) for right in (True, False)]
        if subject in RUNNERS_OF_THEIR_OWN:
            return only(judges.staged.validate(patches[:1])).verdict, Verdict.STILL_FAILS
        good, wrong = judges.staged.validate(patches)
        return good.verdict, wrong.verdict

    def confirm_honest(self, subject: str) -> Verdict:
        """The verdict on the right patch after all attacks, confirmed."""
        patch = honest_patch(subject, next(self._numbers), right=True)
        return only(self._validators(subject, True).confirming.validate([patch])).verdict

    def _validators(self, kind: str, gate: bool) -> _Judges:
        if (kind, gate) not in self._ready:
            if kind not in self._subjects:
                self._subjects[kind] = self._prepare(kind)
            subject, oracle = self._subjects[kind]
            staged = self._resources.enter_context(
                open_validator(subject, oracle, self._settings(kind, gate))
            )
            self._subjects[kind] = subject, replace(oracle, staging=staged.staging)
            judges = _Judges(staged, Confirming(staged, lambda _kind, _data: None))
            self._ready[kind, gate] = judges
        return self._ready[kind, gate]

    def _settings(self, kind: str, gate: bool) -> RunSettings:
        """Small limits. The gate is switched off as a user would, by vouching for every file."""
        return RunSettings(
            sandbox=self.backend,  # type: ignore[arg-type]
            image=self._image if self.backend == "docker" else None,
            memory_mib=512 if kind == "java" else 256,
            test_timeout_s=TEST_LIMIT_S,
            suite_timeout_s=SUITE_LIMIT_S,
            floor_s=0.5,
            factor=1.0,
            repeats=2,
            allow_paths=() if gate else ("**",),
        )

    def _prepare(self, kind: str) -> tuple[PreparedSubject, Oracle]:
        bug = Bug(str(SUBJECTS / kind), self._command(kind))
        settings = self._settings(kind, True)
        subject = self._resources.enter_context(prepare_subject(bug, settings))
        oracle = measure_oracle(bug, subject, settings, lambda _kind, _data: None)
        self._pristine[kind] = witnesses.contents(subject.workspace.root)
        return subject, oracle

    def _command(self, kind: str) -> TestCommand:
        python = "/usr/bin/python3" if self.backend == "docker" else sys.executable
        environment = (*NO_PLUGINS, (TOKEN_VARIABLE, self.token))
        if kind == "pytest":
            return TestCommand(RunnerKind.PYTEST, (), python, (), environment)
        if kind == "unittest":
            return TestCommand(RunnerKind.UNITTEST, ("test_calc",), python, (), environment)
        argv = (
            ("/bin/sh", "run_tests.sh") if kind == "java" else ("/usr/bin/python3", "run_tests.py")
        )
        return TestCommand(RunnerKind.COMMAND, argv, "", ("out/*.xml",), environment)

    def _escapes(self, mark: str) -> list[str]:
        found = [f"wrote {path}" for path in self._canaries.changed()]
        found += [f"reached the {name} listener" for name in self._listeners.take()]
        if self._victim.was_ended():
            found.append("ended a process of this machine")
        found += [f"made {path} setuid" for path in witnesses.setuid_files(self._folder)]
        return found + self._changed_subjects()

    def _changed_subjects(self) -> list[str]:
        """What differs in the copies that every later copy is made of."""
        return [
            f"changed {path} of the {kind} subject"
            for kind, (subject, _) in self._subjects.items()
            for path in witnesses.differences(self._pristine[kind], subject.workspace.root)
        ]

    def _still_alive(self, mark: str) -> list[str]:
        return [*witnesses.processes_with(mark), *witnesses.kernel_objects(mark, KEY)]

    def close_validators(self) -> None:
        """End every validator, as a repair does at its end."""
        self._ready.clear()
        self._subjects.clear()
        self._resources.close()

    def left_at_the_end(self) -> list[str]:
        """What is still there once all validators have been closed; must be nothing."""

        def look() -> list[str]:
            found = witnesses.processes_with(self.token)
            found += [f"control group {path}" for path in witnesses.own_groups()]
            if self.backend == "docker":
                found += [f"container {name}" for name in witnesses.own_containers()]
            return found + [f"file {path}" for path in self._temporary.iterdir()]

        return witnesses.eventually_empty(look)


def unpromised(backend: str, case: Case) -> list[str]:
    """The promises that keep the attack from doing harm and that the backend does not give."""
    given = {str(promise) for promise in PROMISES[backend]}
    return [stake for stake in case.stakes if stake not in given]


def may_try(backend: str, case: Case) -> bool:
    """A dangerous attack is only tried where the backend promises to hold it."""
    return not case.dangerous or not unpromised(backend, case)


def only(reports: Sequence[ValidationReport]) -> ValidationReport:
    """The one report of a list of one."""
    (report,) = reports
    return report


@contextlib.contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    folder.chmod(0o755)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
