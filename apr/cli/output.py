"""Where a command's words go: the result to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from apr.core.errors import BadInputError, EnvironmentUnusableError

SCHEMA_VERSION = 1
"""Of every JSON document the command line prints; raised when a field changes its meaning."""
FILE_WIDTH = 100


class Format(StrEnum):
    """What a result looks like on stdout."""

    TEXT = "text"
    JSON = "json"


class PatchFormat(StrEnum):
    """What the result of a repair looks like on stdout."""

    TEXT = "text"
    DIFF = "diff"
    JSON = "json"


def err_console() -> Console:
    """The console for everything that is not the result."""
    return Console(stderr=True, highlight=False, markup=False)


def emit(text: str, output: Path | None = None) -> None:
    """Write the result to stdout or the file `output`, bytes that are no UTF-8 as they were.

    Raises:
        EnvironmentUnusableError: when it cannot be written, a closed pipe excepted.
    """
    data = text.encode("utf-8", "surrogateescape")
    try:
        if output is not None:
            output.write_bytes(data)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        where = output or "standard output"
        reason = error.strerror
        raise EnvironmentUnusableError(f"cannot write the result to {where}: {reason}") from error


def emit_rich(*renderables: RenderableType, output: Path | None = None) -> None:
    """Write renderables to stdout, coloured when it is a terminal, or plainly to `output`."""
    if output is None:
        console = Console(highlight=False, markup=False)
    else:
        console = Console(highlight=False, markup=False, color_system=None, width=FILE_WIDTH)
    emit(_render(console, renderables), output)


def explain(*renderables: RenderableType) -> None:
    """Write renderables to stderr: words about the result, not the result."""
    console = err_console()
    console.file.write(_render(console, renderables))
    console.file.flush()


def _render(console: Console, renderables: Sequence[RenderableType]) -> str:
    with console.capture() as capture:
        for renderable in renderables:
            console.print(renderable)
    text = capture.get()
    return text if console.is_terminal else "\n".join(map(str.rstrip, text.split("\n")))


def emit_json(document: Mapping[str, Any], output: Path | None = None) -> None:
    """Write a JSON document with its schema version."""
    emit(render_json(document), output)


def render_json(document: Mapping[str, Any]) -> str:
    """The document, indented; lone surrogates are escaped, so that it is always valid UTF-8."""
    versioned = {"schema_version": SCHEMA_VERSION, **document}
    return json.dumps(versioned, indent=2, ensure_ascii=True, default=str) + "\n"


def check_output(path: Path | None, option: str = "--output") -> None:
    """Refuse, before any work is done, a file that could not be written in the end.

    Raises:
        BadInputError: when it is a folder, or lies in none, or may not be written.
    """
    if path is None:
        return
    if path.is_dir():
        raise BadInputError(f"{option} {path} is a folder: name a file")
    if not path.parent.is_dir():
        raise BadInputError(f"{option} {path} lies in a folder that does not exist")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInputError(f"{option} {path} cannot be written: permission denied")
