"""Simulate up to thousands of workers with the constants that scale.py has measured.

    python benchmarks/scale.py --part constants > constants.json
    python benchmarks/scale_model.py constants.json [--seconds 20] [--cores 8]

A run has a searcher and at most eight helpers; so 1,000 processes search 112 runs. In each round
the searcher thinks (CPU of its own), saves the last batch (one of PostgreSQL's cores, and a commit
that waits for the disk) and lays out the next one; each of its processes takes a patch (Redis,
which has one core), judges it for a time drawn from a log-normal distribution, and takes the next.
The round ends with its last patch. What processes ask for without any validation (twice a second
whether the run was cancelled, and Redis whether there is work) is taken off the servers' capacity.

What is not simulated stands below the table as arithmetic: connections, and images.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROCESSES_PER_RUN = 9
PROCESSES_PER_WORKER = 16
LOOKS_PER_S = 2.0
SPREAD = 0.5  # standard deviation of the logarithm of a validation's seconds
COMMIT_S = 0.002
VALIDATION_S = (0.02, 0.2, 2.0, 30.0)
PROCESSES = (9, 99, 999, 3996)
BATCHES = (8, 64)
IMAGE_BYTES = 2**30  # assumed, as is the registry's network; the rest is measured
NETWORK_BYTES_PER_S = 10e9 / 8


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of each station: per validation, and per second of each process at work."""

    redis_s: float
    redis_idle: float
    postgres_s: float
    postgres_idle: float
    postgres_cores: int
    searcher_s: float
    commit_s: float = COMMIT_S


@dataclass(frozen=True, slots=True)
class Load:
    """So many processes judge patches of so many seconds, in batches of so many."""

    processes: int
    validation_s: float
    batch: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Validations a second, and how busy each station was, from 0 to 1."""

    per_s: float
    efficiency: float
    redis: float
    postgres: float
    searcher: float

    @property
    def fullest(self) -> str:
        """The station that is nearest to its limit; none while all have half of it left."""
        names = ("redis", "postgres", "searcher")
        name = max(names, key=lambda each: getattr(self, each))
        return name if getattr(self, name) > 0.5 else "-"


def costs_from(measured: Mapping[str, float], cores: int) -> Costs:
    return Costs(
        redis_s=measured["redis_cpu_us"] / 1e6,
        redis_idle=measured["idle_worker_redis_cpu_us_per_s"] / 1e6 / PROCESSES_PER_WORKER,
        postgres_s=measured["postgres_cpu_us"] / 1e6,
        postgres_idle=LOOKS_PER_S * measured["postgres_look_us"] / 1e6,
        postgres_cores=cores,
        searcher_s=(measured["searcher_cpu_us"] + measured["saving_searcher_cpu_us"]) / 1e6,
    )


@dataclass
class Server:
    """Cores that serve in order of arrival, as far as others leave them free."""

    cores: int
    free_share: float
    free_at: list[float] = field(default_factory=list)
    busy_s: float = 0.0

    def __post_init__(self) -> None:
        self.free_at = [0.0] * self.cores

    def serve(self, now: float, seconds: float) -> float:
        """When a request of now is done."""
        if self.free_share <= 0:
            return math.inf
        began = max(now, heapq.heappop(self.free_at))
        heapq.heappush(self.free_at, began + seconds / self.free_share)
        self.busy_s += seconds
        return began + seconds / self.free_share


@dataclass
class Run:
    """Patches of the round that nobody has taken, and those that are not judged yet."""

    processes: int
    waiting: int = 0
    unjudged: int = 0


def simulate(costs: Costs, load: Load, seconds: float, seed: int = 0) -> Outcome:
    """Play the first `seconds` of it."""
    rng = random.Random(seed)
    drift = math.log(load.validation_s) - SPREAD**2 / 2
    redis = Server(1, 1 - costs.redis_idle * load.processes)
    idle = costs.postgres_idle * load.processes / costs.postgres_cores
    postgres = Server(costs.postgres_cores, 1 - idle)
    runs = [
        Run(min(PROCESSES_PER_RUN, load.processes - first))
        for first in range(0, load.processes, PROCESSES_PER_RUN)
    ]
    think_s = costs.searcher_s * load.batch
    events = [(rng.random() * load.validation_s, 0, n, "save") for n in range(len(runs))]
    heapq.heapify(events)
    judged, number = 0, len(runs)
    while events and events[0][0] < seconds:
        now, _, which, what = heapq.heappop(events)
        run = runs[which]
        if what == "save":
            ready = postgres.serve(now, costs.postgres_s * load.batch) + costs.commit_s
            run.waiting = run.unjudged = load.batch
            follow = [(ready, "take")] * min(run.processes, load.batch)
        elif what == "take" and run.waiting:
            run.waiting -= 1
            got = redis.serve(now, costs.redis_s)
            follow = [(got + rng.lognormvariate(drift, SPREAD), "judged")]
        elif what == "judged":
            judged += 1
            run.unjudged -= 1
            follow = [(now, "take")] if run.unjudged else [(now + think_s, "save")]
        else:
            follow = []
        for at, kind in follow:
            number += 1
            heapq.heappush(events, (at, number, which, kind))
    per_s = judged / seconds
    return Outcome(
        per_s,
        per_s * load.validation_s / load.processes,
        min(1.0, redis.busy_s / seconds + costs.redis_idle * load.processes),
        min(1.0, postgres.busy_s / seconds / costs.postgres_cores + idle),
        per_s * costs.searcher_s / len(runs),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulate many workers.")
    parser.add_argument("constants", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--cores", type=int, default=8)
    arguments = parser.parse_args()
    measured = json.loads(arguments.constants.read_text())
    costs = costs_from(measured, arguments.cores)
    print("| a validation, s | batch | processes | 1/s | of the ideal | Redis | PostgreSQL", end="")
    print(" | searcher | fullest |")
    for load in loads():
        seconds = max(arguments.seconds, 20 * load.validation_s)
        if load.processes / load.validation_s > 20_000:
            seconds = min(seconds, 5.0)
        print(row(load, simulate(costs, load, seconds)), flush=True)
    print(arithmetic(measured))
    return 0


def loads() -> Sequence[Load]:
    return [
        Load(processes, validation_s, batch)
        for validation_s in VALIDATION_S
        for batch in BATCHES
        for processes in PROCESSES
    ]


def row(load: Load, found: Outcome) -> str:
    shares = (found.efficiency, found.redis, found.postgres, found.searcher)
    cells = " | ".join(f"{100 * share:.0f} %" for share in shares)
    head = f"| {load.validation_s:g} | {load.batch} | {load.processes} | {found.per_s:,.0f}"
    return f"{head} | {cells} | {found.fullest} |"


def arithmetic(measured: Mapping[str, float]) -> str:
    """What saturates by number, not by load."""
    each = 1 + 1 / PROCESSES_PER_WORKER
    limits = ", ".join(f"{limit}: {int(limit / each):,} processes" for limit in (100, 500, 5000))
    rate = 1e6 / measured["redis_cpu_us"]
    wal = measured["postgres_wal_bytes"] * rate / 2**20
    moved = measured["redis_bytes"] * rate / 2**20
    runs, machines = 1000 / PROCESSES_PER_RUN, 1000 / PROCESSES_PER_WORKER
    few, many = (pulls * IMAGE_BYTES / NETWORK_BYTES_PER_S for pulls in (machines, 9 * runs))
    return (
        f"\nConnections to PostgreSQL: one for each process and one for each worker of"
        f" {PROCESSES_PER_WORKER}; max_connections {limits}."
        f"\nAt Redis's {rate:,.0f} validations a second: {moved:,.0f} MiB/s through Redis,"
        f" {wal:,.0f} MiB/s of PostgreSQL's log."
        f"\n1,000 processes that need an image of {IMAGE_BYTES / 2**30:.0f} GiB over"
        f" {8 * NETWORK_BYTES_PER_S / 1e9:.0f} Gbit/s: {few:,.0f} s for one image on all machines,"
        f" {many:,.0f} s when each run has its own and each of its processes another machine."
    )


if __name__ == "__main__":
    sys.exit(main())
