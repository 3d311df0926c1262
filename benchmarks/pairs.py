"""Does the tree help when a bug needs two edits? Two HumanEvalFix bugs in one subject.

    python benchmarks/pairs.py --data python-dev.jsonl [--pairs 12] [--candidates 1000] [--jobs 2]

Bugs 2k and 2k+1 of the file make one subject: two modules, two test files, all failing tests to be
mended by one patch. One right edit makes some trigger tests pass, so the way to the second one can
be seen. The tree and the plain ranked enumeration get the same generator and budget. Prints a row
a pair and the totals: pairs fixed, and the candidates it took.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from apr.bootstrap import bootstrap
from apr.core.bug import Bug
from apr.core.run import Budget, RunStatus
from apr.datasets import humanevalfix
from apr.service import Service
from apr.settings import AppSettings, RunSettings

POLICIES = ("mcts", "enumerate")
MODULE, TESTS = "solution", "test_solution.py"


def main() -> None:
    arguments = parse_arguments()
    fixed = dict.fromkeys(POLICIES, 0)
    print("| pair | mcts | enumerate |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        service = bootstrap(AppSettings(data_dir=Path(folder) / "data"))
        bugs = humanevalfix.load(arguments.data, Path(folder) / "single").bugs
        for number in range(min(arguments.pairs, len(bugs) // 2)):
            bug = join(bugs[2 * number], bugs[2 * number + 1], Path(folder) / f"pair{number}")
            cells = []
            for policy in POLICIES:
                count = repair(service, bug, policy, arguments)
                fixed[policy] += count is not None
                cells.append("none" if count is None else str(count))
            print(f"| {bug.name} | {' | '.join(cells)} |", flush=True)
    print(f"| fixed | {' | '.join(str(fixed[policy]) for policy in POLICIES)} |")


def join(left: Bug, right: Bug, target: Path) -> Bug:
    """One subject with the modules and tests of both."""
    target.mkdir()
    for side, bug in (("left", left), ("right", right)):
        source = Path(bug.subject)
        (target / f"{side}.py").write_text((source / f"{MODULE}.py").read_text())
        tests = (source / TESTS).read_text().replace(MODULE, side)
        (target / f"test_{side}.py").write_text(tests)
    (target / "pytest.ini").write_text("[pytest]\n")
    command = replace(left.test_command, argv=())
    return Bug(str(target), command, name=f"{left.name} + {right.name}")


def repair(service: Service, bug: Bug, policy: str, arguments: argparse.Namespace) -> int | None:
    """Candidates to a plausible patch; None when there was none."""
    settings = RunSettings(policy=policy, jobs=arguments.jobs, test_timeout_s=5)
    budget = Budget(candidates=arguments.candidates)
    run = service.execute_run(service.submit_run(bug, settings, budget, seed=0).id)
    return run.usage.candidates if run.status is RunStatus.SUCCEEDED else None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
