"""`apr bench bugsinpy`: repairs real bugs of Python projects."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli.bench_options import BenchOptions
from apr.cli.groups import grouped
from apr.cli.model_options import ModelOptions

if TYPE_CHECKING:
    from apr.datasets.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Places:
    """Where the metadata, the projects and what their tests need are."""

    framework: Annotated[
        Path, typer.Option("--framework", metavar="DIR", help="A checkout of BugsInPy.")
    ]
    repositories: Annotated[
        Path,
        typer.Option(
            "--repositories",
            metavar="DIR",
            help="Clones of the projects, named OWNER__NAME, OWNER/NAME or NAME.",
        ),
    ]
    projects: Annotated[
        str | None,
        typer.Option("--projects", metavar="A,B", help="These projects. Default: all of BugsInPy."),
    ] = None
    python: Annotated[
        Path | None,
        typer.Option(
            "--python",
            metavar="FILE",
            help="An interpreter that has all that the tests need. Default: APR's own.",
        ),
    ] = None


@grouped
def bugsinpy(places: Places, options: BenchOptions, language_model: ModelOptions) -> None:
    """Repair bugs of BugsInPy (Widyasari et al. 2020): real ones, of Python projects."""
    from apr.cli.bench import run_benchmark

    def load(work: Path) -> Dataset:
        from apr.datasets import bugsinpy as dataset

        return dataset.load(
            places.framework,
            places.repositories,
            work,
            options.names,
            places.projects.split(",") if places.projects else None,
            str((places.python or Path(sys.executable)).absolute()),
        )

    run_benchmark("bugsinpy", load, options, language_model)
