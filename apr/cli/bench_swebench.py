"""`apr bench swebench`: repairs SWE-bench's instances from their issues, or by given tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli.bench_options import BenchOptions, PythonOption, RepositoriesOption, RowsOption
from apr.cli.groups import grouped
from apr.cli.model_options import ModelOptions
from apr.cli.request import make_settings
from apr.core.errors import BadInputError

if TYPE_CHECKING:
    from apr.datasets.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which instances are repaired, from where, and what is known of them."""

    dataset: RowsOption
    repositories: RepositoriesOption
    given_tests: Annotated[
        bool,
        typer.Option(
            "--given-tests",
            help="Apply the test patch and repair what FAIL_TO_PASS shows, as program repair does"
            " elsewhere. Default: the issue is all that is known.",
        ),
    ] = False
    tests: Annotated[
        int,
        typer.Option(
            "--tests", metavar="N", min=1, help="Run so many of the test files near the suspects."
        ),
    ] = 4
    patches: Annotated[
        int | None,
        typer.Option(
            "--patches",
            metavar="N",
            min=1,
            help="Find so many plausible patches and choose by what most of them do."
            " Default: 4, or 1 with --given-tests.",
        ),
    ] = None
    compare_seconds: Annotated[
        float,
        typer.Option(
            "--compare-seconds", metavar="S", min=0.0, help="Compare these patches for so long."
        ),
    ] = 30.0
    python: PythonOption = None
    submission: Annotated[
        Path | None,
        typer.Option(
            "--submission",
            metavar="DIR",
            help="Write the final patches as a submission to SWE-bench's leaderboard here.",
        ),
    ] = None

    @property
    def wanted(self) -> int:
        """How many plausible patches are searched for."""
        return self.patches or (1 if self.given_tests else 4)


@grouped
def swebench(protocol: Protocol, options: BenchOptions, language_model: ModelOptions) -> None:
    """Repair instances of SWE-bench (Jimenez et al. 2024) from their issues.

    The issue is reproduced by a test where that is possible: by its own example, or one that the
    language model writes. The hidden tests are neither shown to the search nor used to judge.
    """
    from apr.cli.bench import run_benchmark

    if protocol.submission is not None and options.is_comparison:
        raise BadInputError("--submission holds one patch a bug: drop --compare and --seeds")
    plan = run_benchmark(
        "swebench",
        lambda work: _load(protocol, options),
        options,
        language_model,
        {
            "localization": "spectrum" if protocol.given_tests else "combined",
            "patches": protocol.wanted,
            "compare_seconds": protocol.compare_seconds if protocol.wanted > 1 else 0.0,
            "memory_mib": 3072,
        },
    )
    if protocol.submission is not None:
        from apr.cli.submitting import write_submission

        write_submission(plan, protocol.submission, given_tests=protocol.given_tests)


def _load(protocol: Protocol, options: BenchOptions) -> Dataset:
    from apr.cli.swebench_bugs import list_instances
    from apr.datasets.swebench.instances import load_instances
    from apr.datasets.swebench.local import Places
    from apr.settings import default_cache_dir

    if not protocol.repositories.is_dir():
        raise BadInputError(f"--repositories {protocol.repositories} is no folder")
    instances = load_instances(protocol.dataset, options.names)
    unknown = sorted(set(options.names or ()) - set(instances))
    if unknown or not instances:
        raise BadInputError(f"{protocol.dataset} lacks {', '.join(unknown) or 'instances'}")
    return list_instances(
        instances,
        Places(protocol.repositories.resolve(), default_cache_dir(), protocol.python),
        make_settings(sandbox=options.sandbox.value, test_timeout_s=options.test_timeout),
        given_tests=protocol.given_tests,
        most_tests=protocol.tests,
    )
