"""Comparisons of predicted with reference patches: their records on disk, and the rates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError

SCHEMA_VERSION = 1
IDENTICAL, DIVERGENT, UNDECIDED, ERROR = "identical", "divergent", "undecided", "error"


@dataclass(frozen=True, slots=True)
class PatchComparison:
    """One prediction beside the reference patch.

    `verdict` is that of the comparison, identical (the same program, written differently), or
    error (it could not be asked; it stays in the denominator). `digest` is the prediction's.
    `kinds` are the kinds of the differences found; `report` is the comparison as JSON.
    """

    instance: str
    tool: str
    digest: str
    verdict: str
    kinds: tuple[str, ...] = ()
    message: str = ""
    wall_s: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same question."""
        return self.instance, self.tool, self.digest

    @property
    def is_proven(self) -> bool:
        """Whether a test was seen to pass on one side and to fail on the other."""
        tests = (found.get("test") for found in self.report.get("discrepancies", ()))
        by_call = any(test and test["proven"] for test in tests)
        return self.verdict == DIVERGENT and (by_call or bool(self.report.get("suite")))


@dataclass(frozen=True, slots=True)
class Rates:
    """Counts over all comparisons; a comparison counts for each kind of difference once."""

    verdicts: Mapping[str, int]
    kinds: Mapping[str, int]
    total: int
    instances: int
    proven: int

    @property
    def divergent(self) -> float:
        """The share of patches that were told apart, in [0, 1]."""
        return self.verdicts.get(DIVERGENT, 0) / self.total if self.total else 0.0


def summarize(records: Sequence[PatchComparison]) -> Rates:
    """Count verdicts and kinds."""
    return Rates(
        verdicts=Counter(record.verdict for record in records),
        kinds=Counter(kind for record in records for kind in dict.fromkeys(record.kinds)),
        total=len(records),
        instances=len({record.instance for record in records}),
        proven=sum(record.is_proven for record in records),
    )


class ComparisonFile:
    """Records as JSON lines, appended as comparisons end; the last one of a question counts.

    Raises:
        BadInputError: when it cannot be used, or was made under other `settings`.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._settings = json.loads(json.dumps(settings))
        self.done: dict[tuple[str, str, str], PatchComparison] = {}
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text("utf-8") if path.exists() else ""
            for record in self._parse(text):
                self.done[record.key] = record
            # A line without an end was being written when it was killed.
            path.write_text(text[: text.rfind("\n") + 1], "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"--output {path.parent} cannot be used: {error}") from error

    def _parse(self, text: str) -> Iterator[PatchComparison]:
        for line in text[: text.rfind("\n") + 1].split("\n")[:-1]:
            try:
                fields = json.loads(line)
                settings, record = fields["settings"], fields["record"]
                parsed = PatchComparison(**{**record, "kinds": tuple(record["kinds"])})
            except (ValueError, KeyError, TypeError) as error:
                raise BadInputError(f"{self._path} holds a line that is no record") from error
            if settings != self._settings:
                raise BadInputError(f"{self._path} holds results of other settings")
            yield parsed

    def add(self, record: PatchComparison) -> None:
        """Keep a record, on disk too."""
        self.done[record.key] = record
        if self._path is not None:
            fields = {
                "schema_version": SCHEMA_VERSION,
                "settings": self._settings,
                "record": asdict(record),
            }
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(fields) + "\n")

    def has_verdict(self, key: tuple[str, str, str]) -> bool:
        """Whether it need not be asked again: an error is no verdict."""
        return key in self.done and self.done[key].verdict != ERROR
