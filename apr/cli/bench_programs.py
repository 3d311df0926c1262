"""The benchmarks of small programs in several languages: where they are, and how they load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apr.core.errors import BadInputError

if TYPE_CHECKING:
    from apr.datasets.dataset import Dataset

QuixBugsOption = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="A checkout of QuixBugs.")
]
HumanEvalFixOption = Annotated[
    Path, typer.Option("--data", metavar="FILE", help="A JSON-lines file of it.")
]
LanguageOption = Annotated[
    str,
    typer.Option(
        "--language",
        metavar="NAME",
        help="The programs' language: python, java, or javascript (of HumanEvalFix alone).",
    ),
]
Load = Callable[[Path], "Dataset"]
"""Loads bugs once the folder for their subjects is known."""


def quixbugs_loader(root: Path, language: str, names: Sequence[str] | None) -> Load:
    """Of the checkout's programs in a language, or those named.

    Raises:
        BadInputError: when there are none in this language.
    """
    if language not in ("python", "java"):
        raise BadInputError(f"QuixBugs has no programs in {language}: python or java")

    def load(work: Path) -> Dataset:
        from apr.datasets import quixbugs, quixbugs_java

        if language == "java":
            return quixbugs_java.load(root, work, names)
        return quixbugs.load(root, work, names)

    return load


def humanevalfix_loader(data: Path, language: str, names: Sequence[str] | None) -> Load:
    """Of the file's programs, which are in this language, or those named."""

    def load(work: Path) -> Dataset:
        from apr.datasets import humanevalfix

        return humanevalfix.load(data, work, names, language)

    return load
