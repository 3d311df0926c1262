"""What a benchmark has to run: every variant with every seed on every bug, and where it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from apr.bench.comparison import Trials
from apr.bench.records import BugRecord, Protocol, RecordFile
from apr.bench.variants import parse_variants
from apr.cli.benchmark import run_bug
from apr.cli.crew import Keep, Task, run_side_by_side
from apr.cli.progress import Listener
from apr.core.errors import BadInputError
from apr.datasets.dataset import Dataset

if TYPE_CHECKING:
    from apr.core.run import Budget
    from apr.service import Service
    from apr.settings import RunSettings

_UNSAFE = re.compile(r"[^A-Za-z0-9.+=_-]")
MAX_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """The protocols of a benchmark, in the order in which they are shown, with their records."""

    dataset: Dataset
    files: Mapping[Protocol, RecordFile]

    @property
    def missing(self) -> list[Task]:
        """What has no verdict yet: seed by seed, and of each seed all variants of a bug."""
        tasks = [
            Task(bug, protocol)
            for seed in dict.fromkeys(protocol.seed for protocol in self.files)
            for bug in self.dataset.bugs
            for protocol in self.files
            if protocol.seed == seed
        ]
        return [task for task in tasks if not self.files[task.protocol].has_verdict(task.bug.name)]

    @property
    def total(self) -> int:
        """How many bugs are run, counted once for each protocol."""
        return len(self.dataset) * len(self.files)

    @property
    def done(self) -> int:
        """How many of them have a record."""
        names = {bug.name for bug in self.dataset.bugs}
        return sum(len(names & file.done.keys()) for file in self.files.values())

    def keep(self, task: Task, record: BugRecord) -> None:
        """File a record where it belongs."""
        self.files[task.protocol].add(record)

    def trials(self) -> list[Trials]:
        """The records of every variant."""
        table: dict[str, dict[int, Mapping[str, BugRecord]]] = {}
        for protocol, file in self.files.items():
            variant = protocol.variant or protocol.settings.policy
            found = {bug.name: file.done[bug.name] for bug in self.dataset.bugs}
            table.setdefault(variant, {})[protocol.seed] = found
        return [Trials(variant, records) for variant, records in table.items()]


def make_protocols(
    settings: RunSettings,
    budget: Budget,
    compared: str | None,
    seeds: Sequence[int],
    divergence_s: float = 0.0,
) -> list[Protocol]:
    """One protocol for each variant (None: only what the settings say) and seed.

    Raises:
        BadInputError: when a variant makes no sense.
    """
    if compared is None:
        return [Protocol(settings, budget, seed, "", divergence_s) for seed in seeds]
    return [
        Protocol(variant.settings(settings), budget, seed, variant.name, divergence_s)
        for variant in parse_variants(compared)
        for seed in seeds
    ]


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of a list such as `0,1,2` or `0-4`.

    Raises:
        BadInputError: when it is none, or names a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        if match is None:
            raise BadInputError(f"--seeds {text} is no list of numbers, such as 0,1,2 or 0-4")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MAX_SEEDS:
            raise BadInputError(f"--seeds {text}: {part.strip()} is no range of seeds")
        seeds += range(first, last + 1)
    if len(set(seeds)) != len(seeds):
        raise BadInputError(f"--seeds {text} names a seed twice")
    return tuple(seeds)


def open_plan(
    dataset: Dataset,
    protocols: Sequence[Protocol],
    folder: Path | None,
    forget: Collection[str],
    *,
    apart: bool,
) -> Plan:
    """The plan with what `folder` holds of it; `apart`: a file for each variant and seed.

    Raises:
        BadInputError: when the folder holds results of other settings.
    """
    files = {}
    for protocol in protocols:
        name = record_name(dataset.name, protocol) if apart else f"{dataset.name}.jsonl"
        files[protocol] = RecordFile(None if folder is None else folder / name, protocol, forget)
    return Plan(dataset, files)


def record_name(benchmark: str, protocol: Protocol) -> str:
    """The name of the file with the records of one variant and seed."""
    variant = _UNSAFE.sub("_", protocol.variant or protocol.settings.policy)
    return f"{benchmark}.{variant}.seed-{protocol.seed}.jsonl"


def run_in_turn(
    plan: Plan, service: Service, watch: Callable[[], AbstractContextManager[Listener]], keep: Keep
) -> None:
    """Run what is missing, one bug after the other, in this process."""
    for task in plan.missing:
        with watch() as listener:
            record = run_bug(service, plan.dataset, task.bug, task.protocol, listener)
        keep(task, record)


def run_with_workers(
    plan: Plan, size: int, keep: Keep, tell: Callable[[Sequence[Task]], None]
) -> None:
    """Run what is missing in `size` processes side by side."""
    run_side_by_side(plan.missing, plan.dataset, size, keep, tell)
