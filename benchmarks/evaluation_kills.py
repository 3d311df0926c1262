"""An evaluation that is killed again and again: does it end in the report of an undisturbed one?

    python benchmarks/evaluation_kills.py [--kills 12] [--seed 0] -- --dataset ROWS …

What follows the two dashes are options of `apr evaluate` other than --output and --run-id. Two
evaluations begin with nothing judged. One is left alone; the other gets SIGKILL at random moments,
until it has been killed so often, and then runs to its end. Compared are the report on the run and
each instance's, byte for byte, and each outcome but for its times. What was kept at a kill must
never be judged anew.
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
from pathlib import Path

from validation.temporary import temporary_folder

RUN = "run"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("options", nargs="+", help="of apr evaluate")
    given = parser.parse_args()
    with temporary_folder("kills") as folder:
        whole, killed = folder / "whole", folder / "killed"
        started = time.monotonic()
        subprocess.run(_command(given.options, whole), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        total = len(_outcomes(whole))
        print(f"undisturbed: {total} verdicts in {seconds:.1f} s", flush=True)
        chance = random.Random(given.seed)
        moments = [chance.uniform(0.5, 1.5 * seconds / given.kills) for _ in range(given.kills)]
        kept, again = _kill(given.options, killed, moments)
        found = [*_differences(whole, killed)]
    print(f"kills: {len(kept)}, with so many verdicts kept: {kept}")
    print(f"kept verdicts that were judged anew: {again}")
    print(f"differences: {'; '.join(found) or 'none'}")
    sys.exit(bool(found or again or not total))


def _command(options: Sequence[str], output: Path) -> list[str]:
    program = [sys.executable, "-m", "apr.cli.main", "evaluate"]
    return [*program, *options, "--no-cache", "--output", str(output), "--run-id", RUN]


def _kill(options: Sequence[str], output: Path, moments: Sequence[float]) -> tuple[list[int], int]:
    """How many verdicts were kept at each kill, and how many of those were judged anew."""
    kept: list[int] = []
    again = 0
    before: dict[str, tuple[int, str]] = {}
    for moment in (*moments, None):
        process = subprocess.Popen(
            _command(options, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept.append(len(_outcomes(output)))
        now = _outcomes(output)
        again += sum(now.get(name) != found for name, found in before.items())
        before = now
        if moment is None and process.returncode:
            sys.exit(f"the last evaluation ended with {process.returncode}")
    return kept, again


def _outcomes(output: Path) -> dict[str, tuple[int, str]]:
    """Every kept outcome by its folder: when it was written, and what it says."""
    return {
        str(path.relative_to(output)): (path.stat().st_mtime_ns, path.read_text())
        for path in output.glob(f"logs/run_evaluation/{RUN}/*/*/outcome.json")
    }


def _differences(left: Path, right: Path) -> Iterator[str]:
    """What is not the same in both folders, but for times."""
    for path in sorted({*_files(left), *_files(right)}):
        one, other = left / path, right / path
        if not (one.exists() and other.exists()):
            yield f"only one has {path}"
        elif path.endswith("outcome.json"):
            sides = [json.loads(each.read_text()) | {"duration_s": 0} for each in (one, other)]
            if sides[0] != sides[1]:
                yield path
        elif one.read_bytes() != other.read_bytes():
            yield path


def _files(output: Path) -> Iterator[str]:
    """The reports and outcomes; what tests print has times in it."""
    for path in output.rglob("*.json"):
        yield str(path.relative_to(output))


if __name__ == "__main__":
    main()
