"""What is kept of each judged patch, in the folders and files of the official harness.

LOGS/RUN/TOOL/INSTANCE holds patch.diff, test_output.txt, report.json and, of our own,
outcome.json. A folder appears whole or not at all, so that a killed run goes on where it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets.swebench.instances import Prediction
from apr.evaluation.outcome import Outcome, parse_outcome

LOGS = Path("logs", "run_evaluation")
MAKING, LOCK = ".making-", ".lock"
OUTCOME, LOG, REPORT, PATCH = "outcome.json", "test_output.txt", "report.json", "patch.diff"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome with the log that it rests on."""

    outcome: Outcome
    log: str


class Archive:
    """Judgements by name below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes here meanwhile; what a killed process has left half made goes first.

        Raises:
            BadInputError: when somebody does, or the folder cannot be used.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / LOCK).open("w")
        except OSError as error:
            raise BadInputError(f"{self.root} cannot be used: {error}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BadInputError(f"another evaluation writes to {self.root}") from error
            for path in self.root.rglob(f"{MAKING}*"):
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
            yield

    def path(self, *names: str) -> Path:
        """Where a judgement of that name lies.

        Raises:
            BadInputError: when a name would lead elsewhere.
        """
        plain = [name.replace("/", "__") for name in names]
        if any(name in ("", ".", "..") or "\0" in name for name in plain):
            raise BadInputError(f"{names} cannot name a folder")
        return self.root.joinpath(*plain)

    def load(self, *names: str) -> Outcome | None:
        """The outcome of that name, None when there is none or it cannot be read."""
        with contextlib.suppress(OSError, ValueError):
            document = json.loads((self.path(*names) / OUTCOME).read_text("utf-8"))
            if isinstance(document, dict):
                return parse_outcome(document)
        return None

    def log_path(self, *names: str) -> Path:
        """Where its log is."""
        return self.path(*names) / LOG

    def save(self, judgement: Judgement, patch: str, *names: str) -> None:
        """Keep a judgement, in place of an earlier one of that name."""
        with whole_folder(self.path(*names)) as folder:
            _write(folder / PATCH, patch)
            _write(folder / LOG, judgement.log)
            _write(folder / OUTCOME, render(judgement.outcome.document()))

    def save_report(self, report: Mapping[str, Any] | None, *names: str) -> None:
        """Keep the official report beside the judgement; None: there is to be none."""
        path = self.path(*names) / REPORT
        if report is None:
            path.unlink(missing_ok=True)
        else:
            write_whole(path, render(report))


def name_of(prediction: Prediction) -> tuple[str, str]:
    """How a prediction's judgement is called within a run."""
    return prediction.tool, prediction.instance_id


def render(document: Mapping[str, Any]) -> str:
    """JSON as the official harness writes it."""
    return json.dumps(document, indent=4)


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears with all of its text."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=MAKING, delete=False) as new:
        new.write(text.encode("utf-8", "surrogateescape"))
    Path(new.name).chmod(0o644)
    Path(new.name).replace(path)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder that takes the target's place once it is finished.

    Raises:
        EnvironmentUnusableError: when it cannot be written, on a full disk say.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=MAKING, dir=target.parent))
        try:
            yield made
            made.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise EnvironmentUnusableError(f"{target} cannot be written: {error}") from error


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
