"""The official harness of SWE-bench and `apr evaluate`, side by side on one engine and its images.

    python benchmarks/official_harness.py images --dataset ROWS --repositories CLONES --base IMAGE
    python benchmarks/official_harness.py compare --dataset ROWS --predictions FILE…
        --official PYTHON [--workers 4] --output DIR

`images` builds what cannot be pulled, under the names that the dataset gives and that the official
harness looks for, as `apr evaluate --environment docker --base-image IMAGE` does. IMAGE is a Debian
with git, python3 and python3-venv: debootstrap and `docker import` make one.

`compare` evaluates each file of predictions with both, in turns: first cold (APR's cache is empty;
the official harness has none), then warm (a new run; APR has taken the project out of the images,
and knows no verdict). PYTHON has the swebench package, unmodified; DOCKER_HOST names the engine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.datasets.swebench.instances import load_instances
from apr.datasets.swebench.local import Places
from apr.evaluation.building import ImageBuilder
from apr.settings import AppSettings, default_cache_dir
from apr.subject import image_settings
from validation.sandbox.docker import connect
from validation.sandbox.images.usage import ImageUsage

UNBOUNDED = 2**60
SIDES = OFFICIAL, APR = "official", "apr"


@dataclass(frozen=True)
class Side:
    """One evaluation of one file of predictions."""

    seconds: float
    report: Mapping[str, Any]
    tests: Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    images = commands.add_parser("images")
    images.add_argument("--repositories", type=Path, required=True)
    images.add_argument("--base", required=True)
    images.set_defaults(action=build_images)
    comparing = commands.add_parser("compare")
    comparing.add_argument("--predictions", type=Path, nargs="+", required=True)
    comparing.add_argument("--official", required=True)
    comparing.add_argument("--workers", type=int, default=4)
    comparing.add_argument("--rounds", nargs="+", default=["cold", "warm"])
    comparing.add_argument("--output", type=Path, required=True)
    comparing.set_defaults(action=compare)
    for each in (images, comparing):
        each.add_argument("--dataset", type=Path, required=True)
    given = parser.parse_args()
    given.action(given)


def build_images(given: argparse.Namespace) -> None:
    """Build the image of every instance of the dataset that the engine does not have."""
    places = Places(given.repositories.resolve(), default_cache_dir())
    usage = ImageUsage(image_settings(AppSettings()).folder)
    builder = ImageBuilder(connect(), places, given.base, usage, UNBOUNDED)
    for instance in load_instances(given.dataset).values():
        name, _ = builder.build(instance)
        print(f"built {name}", flush=True)


def compare(given: argparse.Namespace) -> None:
    """Evaluate with both and print seconds, ratios, differing verdicts and disk."""
    given.output.mkdir(parents=True, exist_ok=True)
    totals: dict[tuple[str, str], float] = {}
    different: list[str] = []
    judged = 0
    for number, round_name in enumerate(given.rounds):
        for file in given.predictions:
            sides = {side: _evaluate(side, given, file.resolve(), round_name) for side in SIDES}
            for name, side in sides.items():
                totals[round_name, name] = totals.get((round_name, name), 0.0) + side.seconds
            different += _different(sides[OFFICIAL], sides[APR], f"{round_name} {file.stem}")
            judged += sides[OFFICIAL].report["submitted_instances"] if number == 0 else 0
    for round_name in given.rounds:
        official, apr = (totals[round_name, side] for side in SIDES)
        print(
            f"{round_name}: official {official:.1f} s, apr {apr:.1f} s, {official / apr:.2f} times"
        )
    print(f"{judged} predictions; different: {different or 'none'}")
    for name in ("cache", "official", "apr"):
        print(f"disk of {name}: {_mib(given.output / name)} MiB")


def _evaluate(side: str, given: argparse.Namespace, file: Path, round_name: str) -> Side:
    folder = (given.output / side).resolve()
    folder.mkdir(exist_ok=True)
    run = f"{round_name}-{file.stem}"
    official = ["-m", "swebench.harness.run_evaluation", "--max_workers", str(given.workers)]
    ours = ["-m", "apr.cli.main", "evaluate", "--environment", "docker", "--no-cache", "--quiet"]
    ours += ["--max_workers", str(given.workers)]
    common = ["--dataset_name", str(given.dataset.resolve()), "--predictions_path", str(file)]
    common += ["--run_id", run, "--report_dir", str(folder)]
    program = [given.official, *official] if side == OFFICIAL else [sys.executable, *ours]
    cache = {"XDG_CACHE_HOME": str((given.output / "cache").resolve())}
    started = time.monotonic()
    with (folder / f"{run}.log").open("wb") as log:
        subprocess.run(
            [*program, *common], cwd=folder, check=True, stdout=log, env=os.environ | cache
        )
    seconds = time.monotonic() - started
    (path,) = folder.glob(f"*.{run}.json")
    report = json.loads(path.read_text())
    print(f"{side} {run}: {seconds:.1f} s, {report['resolved_instances']} resolved", flush=True)
    return Side(seconds, report, _tests(folder / "logs/run_evaluation" / run))


def _tests(folder: Path) -> dict[str, Any]:
    """The official report of each instance that has one."""
    return {
        path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/*/report.json")
    }


def _different(official: Side, apr: Side, where: str) -> list[str]:
    """What the two do not say alike: lists of the run's report, and instances' whole reports."""
    lists = [key for key in official.report if key.endswith("_ids")]
    found = [f"{where}: {k}" for k in lists if official.report[k] != apr.report[k]]
    names = sorted({*official.tests, *apr.tests})
    return found + [
        f"{where}: {name}" for name in names if official.tests.get(name) != apr.tests.get(name)
    ]


def _mib(folder: Path) -> int:
    files: Sequence[Path] = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.lstat().st_size for path in files) >> 20


if __name__ == "__main__":
    main()
