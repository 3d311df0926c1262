"""One execution of a repair: its status, its limits and what it has spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apr.core.bug import Bug
from apr.core.report import CorrectnessLabel


class RunStatus(StrEnum):
    """The life of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # at least one confirmed plausible patch
    EXHAUSTED = "exhausted"  # budget or search space ended without one
    FAILED = "failed"  # the question could not be asked; `message` says why
    INTERRUPTED = "interrupted"  # stopped by the user; resumable
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing more will happen unless someone resumes the run."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper limits of a run; None means no limit."""

    candidates: int | None = 2000
    seconds: float | None = None
    cost_usd: float | None = None
    tokens: int | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run has spent. `candidates` counts patches that were judged, cached ones included."""

    candidates: int = 0
    validations: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    tokens: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """A run in the queue's care; `priority` is from 0 to 9, and the highest one comes first."""

    run_id: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What all runs together are and have spent; a status that no run has is absent."""

    runs: Mapping[RunStatus, int]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Garbage:
    """What is, or would be, deleted: runs, and the contents of their files, of `size` bytes."""

    runs: int
    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One ordered fact about a run. `kind` is a dotted name, `data` is JSON."""

    sequence: int
    at: datetime
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedPatch:
    """A confirmed plausible patch as shown to a user; rank 1 is the best."""

    node_id: int
    rank: int
    diff: str
    origin: str
    label: CorrectnessLabel = CorrectnessLabel.UNKNOWN


@dataclass(frozen=True, slots=True)
class RepairRun:
    """A run as every reader sees it: CLI, API and dashboard alike.

    `settings` is the JSON snapshot that, with `seed`, reproduces the run.
    """

    id: str
    bug: Bug
    settings: Mapping[str, Any]
    seed: int
    status: RunStatus
    budget: Budget
    usage: Usage
    created_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    patches: tuple[RankedPatch, ...] = ()
