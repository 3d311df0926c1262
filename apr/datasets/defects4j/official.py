"""A bug's buggy version by Defects4J's own program, where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from apr.core.errors import BadInputError, EnvironmentUnusableError

PROGRAM = "defects4j"
LIMIT_S = 1800.0


def is_installed() -> bool:
    """Whether the program is on the search path."""
    return shutil.which(PROGRAM) is not None


def check_out(project: str, number: int, target: Path) -> None:
    """Fill the empty folder `target` with the buggy version, and nothing of its history.

    Raises:
        BadInputError: when the program refuses.
    """
    _run(["checkout", "-p", project, "-v", f"{number}b", "-w", str(target)], target)
    # Its tags name the fixed version too.
    shutil.rmtree(target / ".git", ignore_errors=True)


def layout(subject: Path) -> tuple[str, str]:
    """The folders of the program's and of its tests' sources."""
    return _export("dir.src.classes", subject), _export("dir.src.tests", subject)


def libraries(subject: Path) -> list[Path]:
    """The archives on the tests' class path, outside of the subject's own folders."""
    entries = _export("cp.test", subject).split(":")
    return [Path(entry) for entry in entries if entry.endswith(".jar") and Path(entry).is_file()]


def _export(name: str, subject: Path) -> str:
    return _run(["export", "-p", name], subject).strip()


def _run(arguments: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentUnusableError(f"{PROGRAM} {arguments[0]} did not work: {error}") from error
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise BadInputError(f"{PROGRAM} {' '.join(arguments)} has failed: {said}")
    return done.stdout
