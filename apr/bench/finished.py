"""Reads the records of finished (or half finished) benchmarks back, as trials of variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.bench.comparison import Trials
from apr.bench.journal import parse_line, whole_lines
from apr.bench.records import BugRecord, parse_record
from apr.core.errors import BadInputError


@dataclass(frozen=True, slots=True)
class _Line:
    path: Path
    benchmark: str
    variant: str
    seed: int
    budget: int
    record: BugRecord


def load_trials(places: Sequence[str]) -> tuple[list[Trials], int]:
    """The variants in the order in which they are met, and their common budget of candidates.

    A place is a file of records, a folder of such files, or LABEL=PATH, which calls all that it
    finds by that label. Several benchmarks are taken as one, their bugs kept apart by name.

    Raises:
        BadInputError: when a place holds no records, budgets differ, or two files hold the same.
    """
    lines = [line for place in places for line in _read_place(place)]
    budgets = {line.budget for line in lines}
    if len(budgets) != 1:
        found = ", ".join(map(str, sorted(budgets))) or "none"
        raise BadInputError(f"only results with one budget of candidates compare, not {found}")
    return _arrange(lines), budgets.pop()


def load_apart(places: Sequence[str]) -> list[Trials]:
    """Variants that need no bugs or budget in common, in the order in which they are met.

    Places are those of `load_trials`.

    Raises:
        BadInputError: when a place holds no records, or two files hold the same.
    """
    return _arrange([line for place in places for line in _read_place(place)])


def _arrange(lines: Sequence[_Line]) -> list[Trials]:
    several = len({line.benchmark for line in lines}) > 1
    table: dict[str, dict[int, dict[str, BugRecord]]] = {}
    origin: dict[tuple[str, int, str], Path] = {}
    for line in lines:
        bug = f"{line.benchmark}/{line.record.bug}" if several else line.record.bug
        key = (line.variant, line.seed, bug)
        if origin.setdefault(key, line.path) != line.path:
            raise BadInputError(
                f"{line.path} and {origin[key]} both hold {bug} of {line.variant}, seed"
                f" {line.seed}: tell them apart with LABEL=PATH"
            )
        table.setdefault(line.variant, {}).setdefault(line.seed, {})[bug] = line.record
    return [Trials(variant, records) for variant, records in table.items()]


def _read_place(place: str) -> Iterator[_Line]:
    label, path = None, Path(place)
    if not path.exists() and "=" in place:
        label, _, rest = place.partition("=")
        path = Path(rest)
    if not path.exists():
        raise BadInputError(f"there is no {path}: name files or folders of benchmark records")
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found = [line for file in files for line in _read_file(file, label)]
    if not found:
        raise BadInputError(f"{path} holds no benchmark records")
    yield from found


def _read_file(path: Path, label: str | None) -> Iterator[_Line]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    for line in whole_lines(text):
        record, protocol = parse_line(path, line, parse_record)
        yield _line(path, label, record, protocol)


def _line(path: Path, label: str | None, record: BugRecord, protocol: Mapping[str, Any]) -> _Line:
    try:
        policy = str(protocol["settings"]["policy"])
        return _Line(
            path=path,
            benchmark=path.name.split(".")[0],
            variant=label or protocol.get("variant") or policy,
            seed=int(protocol["seed"]),
            budget=int(protocol["budget"]["candidates"]),
            record=record,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"{path} holds a line that is no benchmark record") from error
