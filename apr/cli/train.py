"""`apr train`: the commands of `apr.training`, with this program's exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

from apr.training.commands import dispatch

PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}

WordsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="COMMAND ...", show_default=False)
]


def train(words: WordsArgument = None) -> None:
    """Train a repair model, or fine-tune one.

    The steps are collect, select, tokenizer, pack, run, evaluate, export and bundle; each has its
    own --help.
    """
    try:
        dispatch(words or ["--help"], "apr train")
    except SystemExit as ended:  # argparse has said everything
        raise typer.Exit(int(ended.code or 0)) from None
