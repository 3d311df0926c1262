"""What came of each bug of a benchmark, kept so that a killed benchmark goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError
from apr.core.report import CorrectnessLabel
from apr.core.run import Budget
from apr.settings import RunSettings

PLAUSIBLE, NONE, ERROR = "plausible", "none", "error"
SCHEMA_VERSION = 1
"""Of a line of records; raised when a field changes its meaning."""


@dataclass(frozen=True, slots=True)
class BugRecord:
    """What became of one bug.

    `verdict` is plausible, none, or error (the question could not be asked; it stays in the
    denominator). `first_plausible` counts candidates up to the first plausible one. `seconds` is
    the search alone, `wall_s` everything. `difference` tells an overfitting patch apart. What a
    language model used counts without the replies that were known already.
    """

    bug: str
    verdict: str
    run: str = ""
    status: str = ""
    label: str = CorrectnessLabel.UNKNOWN.value
    candidates: int = 0
    first_plausible: int | None = None
    validations: int = 0
    seconds: float = 0.0
    wall_s: float = 0.0
    message: str = ""
    baseline: Mapping[str, int] | None = None
    origin: str = ""
    diff: str = ""
    agreed_inputs: int = 0
    difference: Mapping[str, str] | None = None
    calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Protocol:
    """Under which conditions the bugs are run: the part of a record that must not vary.

    `variant` names them where several are compared.
    """

    settings: RunSettings
    budget: Budget
    seed: int
    variant: str = ""

    def document(self) -> dict[str, Any]:
        """The conditions as JSON."""
        settings = self.settings.model_dump(mode="json")
        budget = asdict(self.budget)
        return {
            "settings": settings,
            "budget": budget,
            "seed": self.seed,
            "variant": self.variant,
        }


class RecordFile:
    """Records as JSON lines, appended as bugs are finished; the last record of a bug counts.

    The records of the bugs in `forget` are dropped first.

    Raises:
        BadInputError: when the file holds results of another protocol, or cannot be used.
    """

    def __init__(self, path: Path | None, protocol: Protocol, forget: Collection[str] = ()) -> None:
        self._path = path
        self._protocol = json.loads(json.dumps(protocol.document()))
        self.done: dict[str, BugRecord] = {}
        if path is not None:
            self._open(path, forget)

    def _open(self, path: Path, forget: Collection[str]) -> None:
        text = self._read(path)
        parsed = [(line, *parse_line(path, line)) for line in whole_lines(text)]
        kept = [entry for entry in parsed if entry[1].bug not in forget]
        for _, record, protocol in kept:
            if protocol != self._protocol:
                raise BadInputError(
                    f"{path} holds results of other settings: name another --output, or --redo"
                )
            self.done[record.bug] = record
        if (remaining := "".join(line for line, *_ in kept)) != text:
            path.write_text(remaining, encoding="utf-8")

    def _read(self, path: Path) -> str:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"--output {path.parent} cannot be used: {error}") from error

    def add(self, record: BugRecord) -> None:
        """Keep a record, on disk too."""
        self.done[record.bug] = record
        if self._path is None:
            return
        fields = {
            "schema_version": SCHEMA_VERSION,
            "protocol": self._protocol,
            "record": asdict(record),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def has_verdict(self, name: str) -> bool:
        """Whether the bug need not be run again: an error is no verdict."""
        return name in self.done and self.done[name].verdict != ERROR


def whole_lines(text: str) -> list[str]:
    """The lines with their ends; one without an end was being written when it was killed."""
    return text[: text.rfind("\n") + 1].splitlines(keepends=True)


def parse_line(path: Path, line: str) -> tuple[BugRecord, Mapping[str, Any]]:
    """The record and its protocol.

    Raises:
        BadInputError: when the line of the file `path` is no record.
    """
    try:
        fields = json.loads(line)
        return BugRecord(**fields["record"]), dict(fields["protocol"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} holds a line that is no benchmark record") from error
