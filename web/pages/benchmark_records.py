"""What benchmark records say, computed once for as long as their files stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from apr.bench.comparison import Comparison, Contrast, Trials, compare
from apr.bench.finished import load_trials

KEPT = 8
"""Folders whose records stay in memory."""
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a folder as they were when its files had this stamp."""

    folder: Path
    stamp: Stamp

    def trials(self) -> tuple[Sequence[Trials], int]:
        """The variants, and their budget of candidates.

        Raises:
            BadInputError: when they cannot be read.
        """
        return _trials(self)

    def comparison(self) -> Comparison:
        """All variants compared.

        Raises:
            BadInputError: when they cannot be read, or have no bug in common.
        """
        return _comparison(self)

    def contrast(self, left: str, right: str) -> Contrast:
        """Two variants, paired by bug.

        Raises:
            BadInputError: when they have no bug in common.
        """
        return _contrast(self, left, right)


def open_records(folder: Path) -> Records:
    """The records as they are now."""
    stats = ((path.name, path.stat()) for path in sorted(folder.glob("*.jsonl")))
    return Records(folder, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


@lru_cache(maxsize=KEPT)
def _trials(records: Records) -> tuple[Sequence[Trials], int]:
    return load_trials([str(records.folder)])


@lru_cache(maxsize=KEPT)
def _comparison(records: Records) -> Comparison:
    """Intervals come from thousands of resamples, which take seconds."""
    return compare(*records.trials())


@lru_cache(maxsize=8 * KEPT)
def _contrast(records: Records, left: str, right: str) -> Contrast:
    trials, budget = records.trials()
    by_name = {each.variant: each for each in trials}
    return compare([by_name[left], by_name[right]], budget).contrasts[0]
