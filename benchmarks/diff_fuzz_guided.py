"""The part of diff_fuzz.py that atheris drives; started by it, with a corpus folder and options."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["apr.core.diff"]):
    import apr.core.diff  # noqa: F401 - imported here to be instrumented

from support.diff_cases import Case, make_tree, mutate  # noqa: E402
from support.git_apply import GitApply, compare, ours  # noqa: E402

COUNTED = "counted "
REPORT_EVERY = 100
COUNTS = {"inputs": 0, "applied": 0, "disagreements": 0}
TREES = [make_tree(Random(f"guided/{number}")) for number in range(64)]


def main() -> None:
    folder = tempfile.TemporaryDirectory()
    git = GitApply(Path(folder.name))

    def check(data: bytes) -> None:
        # The tree is chosen by the diff's own bytes, so that an input is always the same case.
        case = Case(TREES[sum(data) % len(TREES)], data)
        difference = compare(case, git)
        COUNTS["inputs"] += 1
        COUNTS["applied"] += ours(case) is not None
        if difference is not None:
            COUNTS["disagreements"] += 1
            print(f"{difference}: {case}", flush=True)
        if COUNTS["inputs"] % REPORT_EVERY == 0:
            # libFuzzer ends the process without ceremony.
            print(COUNTED + json.dumps(COUNTS), flush=True)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return atheris.Mutate(data, max_size)
        return mutate(random, data)[:max_size]

    atheris.Setup(sys.argv, check, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
