"""The official harness of SWE-bench and `apr evaluate`, side by side on one engine and its images.

    python benchmarks/official_harness.py images --dataset ROWS --repositories CLONES --base IMAGE
    python benchmarks/official_harness.py compare --dataset ROWS --predictions FILE…
        --official PYTHON [--workers 4] --output DIR

`images` builds what cannot be pulled, under the names that the dataset gives and that the official
harness looks for: the base image (a Debian with git, python3, python3-venv: debootstrap and
`docker import`), an environment for each recipe on top, and on that the checkout, installed.
Nothing is fetched: packages come from the environments that `apr evaluate` has built.

`compare` evaluates each file of predictions with both, in turns: first cold (APR's cache is empty;
the official harness has none), then warm (a new run; APR has taken the project out of the images,
and knows no verdict). PYTHON has the swebench package, unmodified; DOCKER_HOST names the engine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.datasets.checkouts import find_clone, find_git_dir
from apr.datasets.swebench.instances import Instance, load_instances
from apr.datasets.swebench.local import Places, check_out, make_environment
from apr.datasets.swebench.recipes import find_recipe
from apr.settings import default_cache_dir
from validation.sandbox.docker import connect
from validation.temporary import temporary_folder

ACTIVATE = """\
conda() { [ "$1" = activate ] && export PATH="/opt/miniconda3/envs/$2/bin:$PATH"; }
"""
PYTEST = """\
#!/opt/miniconda3/envs/testbed/bin/python
import sys
from pytest import console_main
sys.exit(console_main())
"""
ENVIRONMENT = """\
FROM {base}
RUN python3 -m venv --without-pip /opt/miniconda3/envs/testbed
COPY packages /opt/miniconda3/envs/testbed/lib/python3.11/site-packages
COPY pytest /opt/miniconda3/envs/testbed/bin/pytest
COPY activate /opt/miniconda3/bin/activate
ENV PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 PIP_NO_DEPS=1 PIP_ROOT_USER_ACTION=ignore
"""
TESTBED = """\
FROM {environment}
COPY testbed /testbed
ENV PYTHONPATH={path}
RUN cd /testbed && /opt/miniconda3/envs/testbed/bin/python -m pip install -q -e . || true
"""
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
    client = connect()
    known = {tag for image in client.images.list() for tag in image.tags}
    for instance in load_instances(given.dataset).values():
        if instance.image in known:
            continue
        places = Places(given.repositories.resolve(), default_cache_dir())
        checkout = check_out(instance, places, with_tests=False)
        python = make_environment(instance, checkout, places.cache)
        environment = f"official-{python.parent.parent.name}:latest"
        if environment not in known:
            _build_environment(client, given.base, python, environment)
            known.add(environment)
        _build_testbed(client, environment, instance, given.repositories)
        print(f"built {instance.image}", flush=True)


def _build_environment(client: Any, base: str, python: Path, tag: str) -> None:
    with temporary_folder("environment") as folder:
        packages = next(python.parent.parent.glob("lib/python*/site-packages"))
        shutil.copytree(packages, folder / "packages")
        (folder / "pytest").write_text(PYTEST)
        (folder / "pytest").chmod(0o755)
        (folder / "activate").write_text(ACTIVATE)
        (folder / "Dockerfile").write_text(ENVIRONMENT.format(base=base))
        client.images.build(path=str(folder), tag=tag, network_mode="none", rm=True)


def _build_testbed(client: Any, environment: str, instance: Instance, clones: Path) -> None:
    """A checkout with its last two commits, as deep as the official script looks."""
    with temporary_folder("testbed") as folder:
        testbed = folder / "testbed"
        source = find_git_dir(find_clone(instance.repository, clones))
        pack = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
        for command in (
            ["init", "-q"],
            ["fetch", "-q", "--depth=2", f"--upload-pack={pack}", f"file://{source}"],
            ["checkout", "-q", "--detach"],
        ):
            testbed.mkdir(exist_ok=True)
            words = [*command, instance.base_commit] if command[0] != "init" else command
            subprocess.run(["git", *words], cwd=testbed, check=True)
        recipe = find_recipe(instance.repository, instance.version)
        for path, text in recipe.files.items():
            (testbed / path).write_text(text)
        path = "/testbed/src" if (testbed / "src").is_dir() else "/testbed"
        (folder / "Dockerfile").write_text(TESTBED.format(environment=environment, path=path))
        client.images.build(path=str(folder), tag=instance.image, network_mode="none", rm=True)


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
