"""Break everything that a distributed run needs, for as long as told, and compare the verdicts.

    python benchmarks/chaos.py [--seconds 1800] [--seed N] [--workers 3] [--output FILE]

Starts PostgreSQL (with fsync), Redis (append-only), and `apr worker` processes, one of them with a
clock of its own and all of them with a small disk for their copies (as root: a tmpfs in a mount
namespace of its own) and on a network of their own (as root: a network namespace, in which packets
are dropped). Runs of the fixture bugs are submitted all the
time, with nothing reused from earlier ones, while faults are drawn at random. In the end every run
must have the status, tree, verdicts and patches of the same run executed undisturbed, its events
must be numbered without a gap, and no process may be left over. What is said and counted comes
from the store and from /proc, not from the workers.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from chaos_world import FAULTS, World, descendants, open_world  # noqa: E402

from apr.bootstrap import bootstrap  # noqa: E402
from apr.core.bug import Bug  # noqa: E402
from apr.core.run import Budget  # noqa: E402
from apr.datasets.folder import load_bug  # noqa: E402
from apr.service import Service  # noqa: E402
from apr.settings import AppSettings, RunSettings  # noqa: E402
from validation.runners.detect import find_python  # noqa: E402

BUGS = ROOT / "tests" / "fixtures" / "bugs"
NAMES = ("two_edits", "off_by_one", "missing_guard", "class_method", "wrong_operator")
NAMES += ("infinite_loop", "unittest_based", "src_layout")
SEEDS = (1,)
SETTINGS = RunSettings(
    policy="mcts", confirmations=1, cache=False, reuse_baseline=False, patches=4, sandbox="auto"
)
BUDGET = Budget(candidates=40)
WAITING = 4  # runs under way or waiting at any time
END_WITHIN_S = 1200
PR_SET_CHILD_SUBREAPER = 36
MARK = "APR_CHAOS_INSIDE"

Outcome = dict[str, Any]


@dataclass
class Tally:
    """What was done, and what came of it."""

    submitted: dict[str, tuple[str, int]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    impossible: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    arguments = parse_arguments()
    if os.geteuid() == 0 and MARK not in os.environ:  # mounts and links are to be seen by nobody
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", sys.executable, *sys.argv])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become our children
    rng, tally = random.Random(arguments.seed), Tally()
    with tempfile.TemporaryDirectory(prefix="apr-chaos-") as name:
        folder = Path(name)
        bugs = {name: load(name) for name in NAMES}
        say(f"executing {len(NAMES) * len(SEEDS)} runs undisturbed")
        expected = undisturbed(folder / "undisturbed", bugs)
        with open_world(folder, arguments.workers) as world:
            service = bootstrap(world.settings(), is_patient=True)
            began = time.monotonic()
            disturb(world, service, bugs, rng, tally, arguments.seconds)
            worked_s = finish(service, tally, began)
            check(service, tally, expected)
            logs = world.count_logged()
            left = leftovers(world)
    report = summarise(arguments, tally, expected, logs, left, worked_s)
    print(json.dumps(report, indent=2))
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=2))
    return 1 if tally.wrong or left["processes"] else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def load(name: str) -> Bug:
    path = BUGS / name / "bug.toml"
    return load_bug(path, find_python(path.parent, None, False))


def undisturbed(folder: Path, bugs: dict[str, Bug]) -> dict[tuple[str, int], Outcome]:
    """What each run comes to in this process, with a database of its own."""
    service = bootstrap(AppSettings(data_dir=folder))
    expected = {}
    for name, bug in bugs.items():
        for seed in SEEDS:
            run = service.submit_run(bug, SETTINGS, BUDGET, seed)
            service.execute_run(run.id)
            expected[name, seed] = outcome(service, run.id)
    return expected


def outcome(service: Service, run_id: str) -> Outcome:
    """Everything about an ended run that is not a time."""
    run, tree = service.get_run(run_id), service.tree(run_id)
    return {
        "status": run.status.value,
        "message": run.message,
        "candidates": run.usage.candidates,
        "nodes": [
            (
                node.id,
                node.parent,
                node.patch.digest,
                node.visits,
                round(node.total_value, 9),
                None if node.report is None else node.report.verdict.value,
            )
            for node in tree.nodes
        ],
        "patches": [patch.diff for patch in run.patches],
    }


def disturb(
    world: World,
    service: Service,
    bugs: dict[str, Bug],
    rng: random.Random,
    tally: Tally,
    seconds: float,
) -> None:
    """Keep runs coming, and break something every few seconds."""
    deadline = time.monotonic() + seconds
    order: list[str] = []
    while time.monotonic() < deadline:
        submit_some(world, service, bugs, rng, tally)
        order = order or rng.sample(sorted(FAULTS), len(FAULTS))  # each as often as any other
        kind = order.pop()
        wait_s = rng.uniform(4, 14)
        time.sleep(wait_s)
        done = FAULTS[kind](world, rng)
        (tally.faults if done else tally.impossible)[kind] += 1
        say(f"{kind}: {'done' if done else 'not possible'}; {len(tally.submitted)} runs so far")
        world.revive()


def submit_some(
    world: World, service: Service, bugs: dict[str, Bug], rng: random.Random, tally: Tally
) -> None:
    queue = world.queue()
    going_on = [run for run in service.list_runs(limit=100) if not run.status.is_final]
    for _ in range(WAITING - len(going_on)):
        name, seed = rng.choice(NAMES), rng.choice(SEEDS)
        run = service.submit_run(bugs[name], SETTINGS, BUDGET, seed)
        service.enqueue_run(run.id, queue, rng.randrange(3))
        tally.submitted[run.id] = (name, seed)


def finish(service: Service, tally: Tally, began: float) -> float:
    """Wait until every run has ended; the seconds from the first submission."""
    say("no more faults; waiting for what is under way")
    deadline = time.monotonic() + END_WITHIN_S
    while time.monotonic() < deadline:
        statuses = [service.get_run(run_id).status for run_id in tally.submitted]
        if all(status.is_final for status in statuses):
            break
        time.sleep(1)
    return time.monotonic() - began


def check(service: Service, tally: Tally, expected: dict[tuple[str, int], Outcome]) -> None:
    for run_id, key in tally.submitted.items():
        found = outcome(service, run_id)
        for name, value in expected[key].items():
            if found[name] != value:
                tally.wrong.append(f"{run_id} {key}: {name} is {found[name]!r:.300}")
        if found["candidates"] != len(found["nodes"]) - 1:
            tally.wrong.append(f"{run_id} {key}: {found['candidates']} candidates counted")
        sequences = [event.sequence for event in service.store.events(run_id)]
        if sequences != list(range(1, len(sequences) + 1)):
            tally.wrong.append(f"{run_id} {key}: its events have a gap")


def leftovers(world: World) -> dict[str, Any]:
    """What is there after all workers were told to stop: processes, and folders on their disk."""
    world.stop_workers()
    deadline = time.monotonic() + 60
    while (left := descendants(os.getpid()) - world.servers()) and time.monotonic() < deadline:
        time.sleep(1)
    folders = sorted(path.name for path in world.disk.glob("apr-run-*"))
    names = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")[:100] for pid in left]
    return {"processes": [str(name) for name in names], "folders": len(folders)}


def summarise(
    arguments: argparse.Namespace,
    tally: Tally,
    expected: dict[tuple[str, int], Outcome],
    logs: Counter[str],
    left: dict[str, Any],
    worked_s: float,
) -> dict[str, Any]:
    return {
        "seed": arguments.seed,
        "workers": arguments.workers,
        "seconds": round(worked_s),
        "runs": len(tally.submitted),
        "kinds_of_runs": len(expected),
        "candidates": sum(expected[key]["candidates"] for key in tally.submitted.values()),
        "faults": dict(sorted(tally.faults.items())),
        "faults_not_possible": dict(sorted(tally.impossible.items())),
        "what_workers_logged": dict(logs),
        "left": left,
        "wrong": tally.wrong,
    }


if __name__ == "__main__":
    sys.exit(main())
