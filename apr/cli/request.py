"""From what was typed to a `Bug` and `RunSettings`; nonsense is refused in one sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apr.core.bug import Bug, TestId
from apr.core.errors import BadInputError
from apr.localization.formulas import canonical_name

if TYPE_CHECKING:
    from apr.service import Service
    from apr.settings import RunSettings

GIT_TIMEOUT_S = 10.0
BUG_FILES = ("bug.toml", "bug.json")
"""How the names of bug files end; apr.datasets.folder documents what is in them."""


@dataclass(frozen=True, slots=True)
class SubjectRequest:
    """What a user says about the program under repair; None and empty mean: find out."""

    path: Path
    test: str | None = None
    test_ids: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    python: str | None = None
    junit: tuple[str, ...] = ()
    issue: Path | None = None
    name: str | None = None
    image: str | None = None


def make_bug(request: SubjectRequest) -> Bug:
    """The bug that was described, by options or by a bug file.

    Raises:
        BadInputError: when the path is neither a readable folder nor a bug file, or the test
            command or issue is unusable.
    """
    from validation.runners.detect import detect_command  # with it come the runners

    if request.path.name.endswith(BUG_FILES) and request.path.is_file():
        return _bug_of_file(request)
    subject = check_subject(request.path)
    command = detect_command(
        subject,
        request.test,
        python=_python(request),
        junit=request.junit,
        in_image=request.image is not None,
    )
    return Bug(
        subject=str(subject),
        test_command=command,
        trigger_tests=tuple(TestId(test) for test in request.test_ids),
        source_globs=request.sources,
        base_commit=read_commit(subject),
        issue_text=None if request.issue is None else read_issue(request.issue),
        name=request.name or subject.name,
    )


def _bug_of_file(request: SubjectRequest) -> Bug:
    from apr.datasets.folder import load_bug
    from validation.runners.detect import find_python

    if request.test or request.junit:
        raise BadInputError(f"{request.path} names its own test command: drop --test and --junit")
    in_image = request.image is not None
    bug = load_bug(request.path, find_python(request.path.parent, _python(request), in_image))
    return replace(
        bug,
        trigger_tests=tuple(TestId(test) for test in request.test_ids) or bug.trigger_tests,
        source_globs=request.sources or bug.source_globs,
        base_commit=read_commit(Path(bug.subject)),
        name=request.name or bug.name,
    )


def _python(request: SubjectRequest) -> str | None:
    from validation.sandbox.images.request import python_in_image

    if request.python is None and request.image is not None:
        return python_in_image(request.image)
    return request.python


def check_subject(path: Path) -> Path:
    """The absolute path of a folder that can be read.

    Raises:
        BadInputError: when it is none.
    """
    try:
        if not path.exists():
            raise BadInputError(f"there is no such path: {path}")
        if not path.is_dir():
            raise BadInputError(f"{path} is no bug file: name the project's folder")
        if not os.access(path, os.R_OK | os.X_OK):
            raise BadInputError(f"{path} cannot be read: permission denied")
        return path.resolve()
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be used: {error}") from error


def read_commit(subject: Path) -> str | None:
    """The commit that is checked out at the folder's root; None for a plain folder."""
    if not (subject / ".git").exists():
        return None
    command = ["git", "-C", str(subject), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def read_issue(path: Path) -> str:
    """The text of an issue.

    Raises:
        BadInputError: when it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInputError(f"--issue {path} cannot be read: {error.strerror}") from error


def make_settings(**values: Any) -> RunSettings:
    """Checked settings; `jobs` None means one per processor.

    Raises:
        BadInputError: when a value is out of its range or names nothing that there is.
    """
    from pydantic import ValidationError

    from apr.settings import RunSettings
    from validation.integrity.gate import parse_reaches

    values["jobs"] = values.get("jobs") or processors()
    parse_reaches(values.get("allow_reaches", ()))
    if "formula" in values:
        values["formula"] = canonical_name(values["formula"])
    try:
        return RunSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"{name}: {first['msg']}") from error


def localization_settings(chosen: str | None, locations: Sequence[str] | None) -> dict[str, Any]:
    """The part of a run's settings that says where the fault is looked for.

    Raises:
        BadInputError: when the two contradict each other, or the right patch would be needed.
    """
    if chosen == "perfect":
        raise BadInputError("--localization perfect reads the right patch: only apr bench has one")
    if locations and chosen not in (None, "given"):
        raise BadInputError(f"--localization {chosen} contradicts --location: give one of them")
    if chosen == "given" and not locations:
        raise BadInputError("--localization given needs a place: name one with --location")
    usual = "given" if locations else "spectrum"
    return {"localization": chosen or usual, "locations": tuple(locations or ())}


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_service() -> Service:
    """The embedded service on the configured database.

    Raises:
        StoreError: when the database cannot be used.
    """
    from apr.bootstrap import bootstrap

    return bootstrap()


def find_run_id(service: Service, text: str) -> str:
    """The full id that a prefix or `last` means.

    Raises:
        BadInputError: when there is no such run, or more than one.
    """
    if text != "last":
        return service.get_run(text).id
    newest = service.list_runs(limit=1)
    if not newest:
        raise BadInputError("there is no run yet: start one with apr fix PATH")
    return newest[0].id
