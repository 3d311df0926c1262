"""What benchmark records say, computed once for as long as their files stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from apr.bench.comparison import (
    Comparison,
    Contrast,
    Trials,
    common,
    compare,
    summarize,
)
from apr.bench.finished import load_trials
from apr.core.errors import BadInputError

KEPT = 8
"""Sets of records that stay in memory."""
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Records:
    """The records of some folders as they were when their files had this stamp.

    Every method raises BadInputError when they cannot be read, or have no bug in common.
    """

    folders: tuple[Path, ...]
    stamp: Stamp

    def trials(self) -> tuple[Sequence[Trials], int]:
        """The variants, those of the first folder first, and their budget of candidates."""
        return _trials(self)

    def comparison(self) -> Comparison:
        """A summary of each variant."""
        return _comparison(self)

    def contrast(self, left: str, right: str) -> Contrast:
        """Two variants, paired by bug."""
        return _contrast(self, left, right)


def open_records(*folders: Path) -> Records:
    """The records as they are now."""
    files = (path for folder in folders for path in sorted(folder.glob("*.jsonl")))
    stats = ((str(path), path.stat()) for path in files)
    return Records(folders, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


@lru_cache(maxsize=KEPT)
def _trials(records: Records) -> tuple[Sequence[Trials], int]:
    """Variants of several folders are called by both names."""
    loaded = [load_trials([str(folder)]) for folder in records.folders]
    if len({budget for _, budget in loaded}) > 1:
        raise BadInputError("only results with one budget of candidates compare")
    if len(loaded) == 1:
        return loaded[0]
    named = [
        replace(each, variant=f"{each.variant} in {folder.name}")
        for folder, (trials, _) in zip(records.folders, loaded, strict=True)
        for each in trials
    ]
    return named, loaded[0][1]


@lru_cache(maxsize=KEPT)
def _comparison(records: Records) -> Comparison:
    """Without contrasts: their thousands of resamples are for the two that are looked at."""
    trials, budget = records.trials()
    bugs, seeds = common(trials)
    summaries = tuple(summarize(each, bugs, seeds, budget) for each in trials)
    return Comparison(bugs, seeds, budget, summaries, ())


@lru_cache(maxsize=8 * KEPT)
def _contrast(records: Records, left: str, right: str) -> Contrast:
    trials, budget = records.trials()
    two = [each for name in (left, right) for each in trials if each.variant == name]
    return compare(two, budget).contrasts[0]
