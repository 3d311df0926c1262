"""Runs that are killed at random moments and resumed: does each end with the undisturbed tree?

    python benchmarks/interruptions.py [--runs 25] [--candidates 40] [--seed 0]

Each run is an `apr fix` in a process and a database of its own, with the embedded generator or
with a language model behind a real HTTP server, whose answers depend on the request and its seed.
At a random moment it gets SIGKILL or SIGINT, and is resumed; the resumption is killed too with one
chance in three, and so on. A third of the moments are random times between the start and the
undisturbed run's end, the others a random number of nodes in the database and up to 0.3 s more, so
that most fall into the search. The trees are compared node by node: places, patches, verdicts,
statistics.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import seeded_model  # noqa: E402
from support.e2e import BUGS, Apr, nodes_saved, tree_of  # noqa: E402
from support.openai_server import Server, serving  # noqa: E402
from validation.temporary import temporary_folder  # noqa: E402

KILLED_AGAIN = 1 / 3
MOST_KILLS = 4
WAIT_S = 600
COSTS = frozenset({"calls", "tokens", "cost_usd"})
"""What a lost reply cost is paid twice, and that is recorded."""


@dataclass(frozen=True)
class Kind:
    """How patches are found, and of what bug."""

    name: str
    subject: Path
    options: tuple[object, ...]


@dataclass
class Trial:
    """One run that was killed `kills` times, with the number of nodes saved each time."""

    signals: list[str] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)
    same: bool = False
    problem: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=25, help="of each kind")
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default="template,model")
    arguments = parser.parse_args()
    failed = 0
    print(HEADER)
    for name in arguments.kinds.split(","):
        with open_kind(name) as kind:
            failed += run_kind(kind, arguments.runs, arguments.candidates, arguments.seed)
    return 1 if failed else 0


@contextmanager
def open_kind(name: str) -> Iterator[Kind]:
    if name == "template":
        yield Kind(name, BUGS / "two_edits" / "subject", ("--no-cache",))
        return
    with serving(seeded_model.reply) as server:
        yield Kind(name, BUGS / seeded_model.SUBJECT / "subject", model_options(server))


def model_options(server: Server) -> tuple[object, ...]:
    return ("--model", "m", "--base-url", server.base_url, "--judge", 0.3, "--parallel", 2)


def run_kind(kind: Kind, runs: int, candidates: int, seed: int) -> int:
    """Print a line about the runs of one kind; how many of them went wrong."""
    command = ("fix", kind.subject, *kind.options, "--candidates", candidates, "--seed", seed)
    with temporary_folder("undisturbed") as folder:
        started = time.monotonic()
        right = finished(Apr(folder), *command)
        duration_s = time.monotonic() - started
        tree = load_tree(Apr(folder))
    rng = random.Random(f"{seed}/{kind.name}")
    trials = []
    for number in range(runs):
        trials.append(disturb(command, tree, right, duration_s, rng))
        say(kind, number, trials[-1])
    print(describe(kind, tree, trials), flush=True)
    return sum(not trial.same for trial in trials)


def disturb(
    command: Sequence[object],
    tree: Sequence[dict[str, Any]],
    right: dict[str, Any],
    duration_s: float,
    rng: random.Random,
) -> Trial:
    """Kill a run at random moments until it comes to its end, and compare.

    One that ends before its first signal is started anew: it was not disturbed.
    """
    trial = Trial()
    while not trial.signals:
        with temporary_folder("disturbed") as folder:
            apr = Apr(folder)
            words = kill_repeatedly(apr, command, len(tree), duration_s, rng, trial)
            if not trial.signals:
                continue
            done = finished(apr, *words)
            if "usage" not in done:
                trial.problem = str(done)
                break
            known = (done["usage"]["candidates"], right["usage"]["candidates"])
            trial.problem = "" if known[0] == known[1] else f"candidates: {known}"
            trial.same = load_tree(apr) == list(tree)
    return trial


def kill_repeatedly(
    apr: Apr,
    command: Sequence[object],
    nodes: int,
    duration_s: float,
    rng: random.Random,
    trial: Trial,
) -> Sequence[object]:
    """Note the signals that the run got, and return the command that goes on with it."""
    words = command
    while len(trial.signals) < MOST_KILLS:
        number = rng.choice((signal.SIGKILL, signal.SIGINT))
        if not kill_at(draw_moment(rng, duration_s, nodes), apr, number, *words):
            break
        trial.signals.append(number.name)
        trial.saved.append(count_nodes(apr))
        words = ("resume", "last") if has_run(apr) else command
        if rng.random() > KILLED_AGAIN:
            break
    return words


@dataclass(frozen=True)
class Moment:
    """So many seconds after so many nodes were saved."""

    nodes: int
    wait_s: float


def draw_moment(rng: random.Random, duration_s: float, nodes: int) -> Moment:
    if rng.random() < 1 / 3:
        return Moment(0, rng.uniform(0, duration_s))
    return Moment(rng.randrange(1, nodes), rng.uniform(0, 0.3))


def kill_at(moment: Moment, apr: Apr, number: signal.Signals, *words: object) -> bool:
    """Start a command and send it a signal at the moment; whether it was still there."""
    process = apr.start(*words)
    deadline = time.monotonic() + WAIT_S
    while count_nodes(apr) < moment.nodes and process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError("a run came to no end")
        time.sleep(0.02)
    try:
        process.communicate(timeout=moment.wait_s)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        process.communicate(timeout=WAIT_S)
        return True
    return False


def finished(apr: Apr, *words: object) -> dict[str, Any]:
    done = apr(*words, "--format", "json", "--quiet")
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        return {"returncode": done.returncode, "said": done.stderr}


def load_tree(apr: Apr) -> list[dict[str, Any]]:
    """The nodes without what may differ: who was paid for a lost reply."""
    return tree_of(apr, leave_out=COSTS)


def has_run(apr: Apr) -> bool:
    done = apr("runs", "--format", "json")
    return done.returncode == 0 and bool(json.loads(done.stdout)["runs"])


def count_nodes(apr: Apr) -> int:
    return nodes_saved(Path(apr.environment["APR_DATA_DIR"]))


def say(kind: Kind, number: int, trial: Trial) -> None:
    kills = ", ".join(f"{s} at {n}" for s, n in zip(trial.signals, trial.saved, strict=True))
    verdict = "same tree" if trial.same else f"OTHER TREE {trial.problem}"
    print(f"{kind.name} {number}: {kills or 'not hit'}: {verdict}", file=sys.stderr, flush=True)


HEADER = (
    "| generator | nodes | runs | hit | SIGKILL | SIGINT | hit before the first node"
    " | same tree |\n|---|---|---|---|---|---|---|---|"
)


def describe(kind: Kind, tree: Sequence[object], trials: Sequence[Trial]) -> str:
    signals = [name for trial in trials for name in trial.signals]
    early = sum(not nodes for trial in trials for nodes in trial.saved)
    cells = (
        kind.name,
        len(tree),
        len(trials),
        sum(bool(trial.signals) for trial in trials),
        signals.count("SIGKILL"),
        signals.count("SIGINT"),
        early,
        sum(trial.same for trial in trials),
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
