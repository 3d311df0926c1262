"""What becomes of an error: one sentence on stderr and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import typer

from apr import __version__
from apr.cli.text import one_line
from apr.core.errors import AprError, ExitCode

# Typer carries its own copy of Click since 0.20-odd: the public class leads to whichever it is.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
CLOSED_PIPE = 141  # what a shell reports for a program ended by SIGPIPE


class RunInterruptedError(AprError):
    """The user stopped a run, which is saved."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, run_id: str) -> None:
        super().__init__(f"interrupted; continue with: apr resume {run_id}")


class BenchInterruptedError(AprError):
    """The user stopped a benchmark."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, kept: int, bugs: int) -> None:
        later = "the same command goes on from there" if kept else "nothing was kept"
        super().__init__(f"interrupted with {kept} of {bugs} bugs recorded; {later}")


def guarded(action: Callable[[], object]) -> int:
    """Run `action`; its exit code, after telling the user what went wrong."""
    try:
        action()
        sys.stdout.flush()
    except typer.Exit as ended:
        return int(ended.exit_code)
    except AprError as error:
        complain(str(error))
        return int(error.exit_code)
    except KeyboardInterrupt:
        complain("interrupted")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        _discard_stdout()
        return CLOSED_PIPE
    except Exception as error:  # noqa: BLE001 - the last place where a traceback can be kept away
        return _report(error)
    return int(ExitCode.OK)


def complain(message: str) -> None:
    """One sentence on stderr; silence when nobody listens any more."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"apr: {one_line(message)}\n")
        sys.stderr.flush()


def _report(error: Exception) -> int:
    if isinstance(error, UsageError):
        complain(_explain_usage(error))
        return int(ExitCode.BAD_INPUT)
    name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    complain(f"unexpected error, please report it ({one_line(name)[:200]}); {save_crash(error)}")
    return int(ExitCode.ENVIRONMENT)


def _explain_usage(error: Exception) -> str:
    format_message = getattr(error, "format_message", error.__str__)
    message = str(format_message()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "apr"
    return f"{message[:1].lower()}{message[1:]} (see: {command} --help)"


def save_crash(error: BaseException) -> str:
    """Write the traceback to a file of its own and say where."""
    title = f"apr {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    text = title + "".join(traceback.format_exception(error))
    for folder in (_data_dir() / "crashes", Path(tempfile.gettempdir())):
        path = folder / f"apr-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return f"the traceback is in {path}"
    return "its traceback could not be saved"


def _data_dir() -> Path:
    from apr.settings import AppSettings

    return AppSettings().data_dir


def _discard_stdout() -> None:
    # The interpreter flushes stdout once more at its end, and would complain.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
