"""The options of `apr evaluate`; second names are the official harness's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apr.cli import options as o
from apr.cli.bench_options import PythonOption
from apr.cli.output import Format
from apr.core.errors import BadInputError


class Environment(StrEnum):
    """Where an instance's dependencies come from."""

    LOCAL = "local"
    DOCKER = "docker"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is evaluated."""

    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            "--dataset_name",
            metavar="FILE|NAME",
            help="SWE-bench: JSON(L), parquet, or a published dataset such as lite or verified.",
        ),
    ]
    predictions: Annotated[
        str,
        typer.Option(
            "--predictions",
            "--predictions_path",
            metavar="FILE",
            help="JSON (a list, or an object by instance) or JSONL; [bold]gold[/]: the"
            " developers' own patches.",
        ),
    ]
    instance_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--instance-ids",
            "--instance_ids",
            metavar="ID…",
            help="Only these; repeatable, more may follow.",
        ),
    ] = None
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Of a published dataset.")
    ] = "test"

    @property
    def only(self) -> frozenset[str]:
        """The ids that were asked for; none: all."""
        named = " ".join((*(self.instance_ids or ()), *(self.more or ())))
        return frozenset(named.replace(",", " ").split())


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where and how the tests run."""

    repositories: Annotated[
        Path | None,
        typer.Option(
            "--repositories",
            metavar="DIR",
            help="Clones of the repositories, named OWNER__NAME, OWNER/NAME or NAME. Images have"
            " their own.",
        ),
    ] = None
    environment: Annotated[
        Environment,
        typer.Option(
            "--environment",
            help="Where an instance's dependencies come from: environments that are built here, or"
            " the images of the instances.",
        ),
    ] = Environment.LOCAL
    python: PythonOption = None
    base_image: Annotated[
        str | None,
        typer.Option(
            "--base-image",
            metavar="IMAGE",
            help="Build the images of instances on this one, with Python 3.11, git and bash,"
            " instead of pulling them. Needs --repositories.",
        ),
    ] = None
    disk_gib: Annotated[
        float | None,
        typer.Option(
            "--disk-gib",
            metavar="N",
            min=0,
            help="Disk that images built here may take; the least recently used go."
            " Default: APR_SANDBOX_DISK_MIB.",
        ),
    ] = None
    sandbox: o.SandboxOption = o.Sandbox.AUTO
    memory: o.MemoryOption = 4096
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="S", min=1, help="Seconds that an instance may take."),
    ] = 1800.0
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats",
            metavar="N",
            min=1,
            help="Run each so often, to mark flaky tests; the first time counts.",
        ),
    ] = 1
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="Judge what other runs have judged already, too."),
    ] = False


@dataclass(frozen=True, slots=True)
class Results:
    """Where results go."""

    workers: Annotated[
        int,
        typer.Option("--workers", "--max_workers", metavar="N", min=1, help="So many at once."),
    ] = 2
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            "--run_id",
            metavar="NAME",
            help="Names the run; the same one goes on where it stopped. Default: the name of the"
            " predictions file.",
        ),
    ] = None
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "--report_dir",
            metavar="DIR",
            help="Where TOOL.RUN.json goes, and logs/run_evaluation with all the rest.",
        ),
    ] = Path()
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Run nothing: grade what is kept of the run again.")
    ] = False
    form: o.FormatOption = Format.TEXT
    quiet: o.QuietOption = False

    def run_of(self, predictions: str) -> str:
        """The run's name.

        Raises:
            BadInputError: when it cannot name a folder.
        """
        name = self.run_id or Path(predictions).stem
        if not name or "/" in name or name.startswith("."):
            raise BadInputError(f"--run-id {name} cannot name a folder")
        return name
