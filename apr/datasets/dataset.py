"""A benchmark: bugs to repair, and the reference versions that are opened only to judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from apr.core.bug import Bug
from apr.core.patch import diff_texts, render_diff
from apr.datasets.cases import Case


def exact(_case: Case) -> float:
    """No tolerance: numbers must be equal up to rounding."""
    return 0.0


@dataclass(frozen=True, slots=True)
class ReferenceProgram:
    """The right version of a bug's one source file, and inputs to compare a repair with it.

    `path` is relative to the subject. `cases` gives the same cases for the same seed, the first
    `known_cases` of them being the benchmark's own. `tolerance` is the absolute difference
    allowed between numbers in the results of a case.
    """

    path: str
    source: str
    entry_point: str
    cases: Callable[[int], Iterator[Case]]
    tolerance: Callable[[Case], float] = exact
    known_cases: int = 0


def _nothing(_bug: Bug) -> None:
    return None


def _as_listed(bug: Bug) -> Bug:
    return bug


@dataclass(frozen=True, slots=True)
class Dataset:
    """Bugs by name, with two accessors for judging that read their data only when called.

    `prepare` makes a listed bug ready to be repaired, where that takes long or may fail: what is
    not known before, such as the subject's folder, is in the bug that it returns.
    `from_issues`: no test shows the bugs, so that their issues have to be reproduced first.
    The accessors of a benchmark that several processes run at once can be pickled.
    """

    name: str
    bugs: tuple[Bug, ...]
    reference_program: Callable[[Bug], ReferenceProgram | None] = _nothing
    reference_patch: Callable[[Bug], str | None] = _nothing
    prepare: Callable[[Bug], Bug] = _as_listed
    from_issues: bool = False

    def __len__(self) -> int:
        return len(self.bugs)


def diff_to(bug: Bug, path: str, source: str) -> str:
    """The patch that makes a file of the bug's subject be `source`, as a unified diff."""
    base = {path: (Path(bug.subject) / path).read_text(encoding="utf-8")}
    return render_diff(diff_texts(base, {path: source}), base)
