"""Measure distribution: what it costs a validation, what it gains, and what a full store answers.

    python benchmarks/scale.py --part overhead|throughput|constants|store [--validations N]

A private PostgreSQL (with fsync) and Redis (append-only, synced every second), and one
`apr worker --queues validation --processes P`. All judge the same patches of a subject whose
four tests take no time (overhead), sleep 50 ms each (waits) or compute for 50 ms (computes).

overhead: blocks of ten patches, in turn in this process and by one process of a worker; the
difference of each pair, as a mean with its 95 % confidence interval; and the difference between
the first deciles of both, which is about the blocks that nothing else on the machine disturbed.
throughput: validations a second by 1, 2, 4, 8 processes, each between two measurements of this
process, and the ratio to their mean.
constants: what a validation, a helper, a worker and an owner cost Redis and PostgreSQL, as JSON
for benchmarks/scale_model.py.
store: 100 runs with 100 candidates each: the queries of lists and pages, and a migration.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from scale_constants import measure_constants  # noqa: E402
from scale_store import measure_store, new_database  # noqa: E402
from scale_world import (  # noqa: E402
    begun_run,
    interval,
    judging_here,
    judging_there,
    make_patches,
    make_subject,
    timed_ms,
    whole_cpu_s,
)

from apr.bootstrap import bootstrap  # noqa: E402
from apr.core.patch import Patch  # noqa: E402
from apr.core.run import RepairRun  # noqa: E402
from apr.service import Service  # noqa: E402
from apr.settings import AppSettings  # noqa: E402
from support.postgres import PostgresServer, find_programs, postgres_serving  # noqa: E402
from support.services import redis_serving  # noqa: E402
from validation.validator import StagedValidator  # noqa: E402

NOTHING = "pass"
WAITS = "time.sleep(0.05)"
COMPUTES = "end = time.process_time() + 0.05\n    while time.process_time() < end: pass"
BLOCK = 10


@dataclass(frozen=True, slots=True)
class Bench:
    """An installation to measure on."""

    folder: Path
    settings: AppSettings
    service: Service

    def run_of(self, work: str) -> RepairRun:
        name = f"subject{time.monotonic_ns()}"
        return begun_run(self.service, make_subject(self.folder / name, work))


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds of a validation: by the clock, and of CPU in all processes of the bench."""

    wall_ms: float
    cpu_ms: float


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure distribution.")
    parser.add_argument("--part", choices=["overhead", "throughput", "constants", "store"])
    parser.add_argument("--validations", type=int, default=300)
    parser.add_argument("--processes", default="1,2,4,8")
    arguments = parser.parse_args()
    counts = [int(word) for word in arguments.processes.split(",")]
    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL's server programs are needed")
    with tempfile.TemporaryDirectory(prefix="apr-scale-") as name, ExitStack() as stack:
        postgres = stack.enter_context(postgres_serving(programs, is_durable=True))
        if arguments.part in ("store", None):
            measure_store("SQLite", f"sqlite:///{name}/store.db")
            measure_store("PostgreSQL", new_database(postgres.url))
        if arguments.part == "store":
            return 0
        redis = stack.enter_context(redis_serving("everysec"))
        bench = make_bench(Path(name), postgres, redis.url)
        if arguments.part in ("overhead", None):
            measure_overhead(bench, arguments.validations)
        if arguments.part in ("throughput", None):
            for kind, work in (("waits", WAITS), ("computes", COMPUTES)):
                measure_throughput(bench, kind, work, counts, arguments.validations)
        if arguments.part in ("constants", None):
            run = bench.run_of(NOTHING)
            found = measure_constants(
                bench.folder, bench.settings, bench.service, run, redis, postgres
            )
            print(json.dumps(found, indent=2))
    return 0


def make_bench(folder: Path, postgres: PostgresServer, broker: str) -> Bench:
    settings = AppSettings(
        data_dir=folder / "data", database_url=postgres.url, broker_url=SecretStr(broker)
    )
    return Bench(folder, settings, bootstrap(settings))


def measure_overhead(bench: Bench, validations: int) -> None:
    """Milliseconds of a validation here, there, and more there than here."""
    run = bench.run_of(NOTHING)
    here: list[Spent] = []
    there: list[Spent] = []
    with (
        judging_here(bench.service, run) as validator,
        judging_there(bench.folder, bench.settings, run, 1) as judge,
    ):
        for number in range(validations // BLOCK):
            patches = make_patches(BLOCK, first=1000 + number * BLOCK)
            arms = [
                (here, lambda some=patches: judge_here(validator, some)),
                (there, lambda some=patches: judge(some)),
            ]
            for spent, act in arms if number % 2 else reversed(arms):
                spent.append(spend(act))
    print("| ms a validation | here | by a worker | more | median of more | undisturbed |")
    for what in ("wall_ms", "cpu_ms"):
        one, two = [[getattr(s, what) for s in spent] for spent in (here, there)]
        more = [second - first for first, second in zip(one, two, strict=True)]
        middle = statistics.median(more)
        print(
            f"| {what} | {interval(one)} | {interval(two)} | {interval(more)} | {middle:.2f}"
            f" | {tenth(one):.2f}, {tenth(two):.2f}: {tenth(two) - tenth(one):.2f} |"
        )
    sys.stdout.flush()


def tenth(values: Sequence[float]) -> float:
    """The first decile: what blocks take that other work on the machine leaves alone."""
    return statistics.quantiles(values, n=10)[0]


def spend(act: Callable[[], object]) -> Spent:
    """What a block costs, a validation."""
    cpu_s = whole_cpu_s()
    wall_ms = timed_ms(act)
    return Spent(wall_ms / BLOCK, 1000 * (whole_cpu_s() - cpu_s) / BLOCK)


def measure_throughput(
    bench: Bench, kind: str, work: str, counts: Sequence[int], validations: int
) -> None:
    """Rates of 1, 2, 4, 8 processes beside this process's own before and after."""
    run, patches = bench.run_of(work), make_patches(validations)
    for count in counts:
        with judging_here(bench.service, run) as validator:
            sample = patches[: max(BLOCK, validations // 4)]
            before = len(sample) / judge_here(validator, sample)
            with judging_there(bench.folder, bench.settings, run, count) as judge:
                there = validations / judge(patches)
            after = len(sample) / judge_here(validator, sample)
        ratio = there / statistics.fmean([before, after])
        print(
            f"| {kind} | {count} | {there:.1f} | {before:.1f}, {after:.1f} | {ratio:.2f} |",
            flush=True,
        )


def judge_here(validator: StagedValidator, patches: Sequence[Patch]) -> float:
    """Seconds for judging one after the other, as a helper does."""
    began = time.perf_counter()
    for patch in patches:
        validator.judge([patch])
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
