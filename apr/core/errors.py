"""The errors a user can meet, and the exit code each one means.

A bad patch is a result and never an exception; these say that the question could not be asked.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes of every command; part of the public interface."""

    OK = 0  # a plausible patch was found, or the command did what it was asked
    NO_PATCH = 1  # the search ended without a plausible patch
    BAD_INPUT = 2  # the request cannot be understood or makes no sense
    ENVIRONMENT = 3  # this machine cannot run the subject
    BUDGET = 4  # a time or money cap was reached before a verdict
    INTERRUPTED = 130  # stopped by the user; the run is saved and resumable


class AprError(Exception):
    """Base of every expected error: one clear sentence and an exit code, never a traceback."""

    exit_code: ExitCode = ExitCode.ENVIRONMENT


class BadInputError(AprError):
    """The request names something that does not exist or cannot be used."""

    exit_code = ExitCode.BAD_INPUT


class NotReproducedError(BadInputError):
    """The baseline shows no failing test, so there is nothing to repair."""


class EnvironmentUnusableError(AprError):
    """The subject, its interpreter or its tests cannot run on this machine."""


class SandboxUnavailableError(EnvironmentUnusableError):
    """The requested sandbox does not work here."""


class SandboxDiedError(EnvironmentUnusableError):
    """A sandboxed process ended or fell silent outside any verdict about a patch."""


class StoreError(EnvironmentUnusableError):
    """The database cannot be opened, migrated or written."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached or has no room, which may pass."""


class QueueUnavailableError(EnvironmentUnusableError):
    """The broker of the queue cannot be reached."""


class BoardUnavailableError(EnvironmentUnusableError):
    """Where searchers and helpers meet cannot be reached."""


_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def is_passing(error: BaseException) -> bool:
    """Whether this machine's state of the moment is to blame, such as a full disk."""
    return any(
        isinstance(cause, StoreUnavailableError)
        or (isinstance(cause, OSError) and cause.errno in _PASSING)
        or os.strerror(errno.ENOSPC) in str(cause)
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class PatchDoesNotApplyError(AprError):
    """A patch does not fit the text it was applied to."""

    exit_code = ExitCode.BAD_INPUT


class MalformedDiffError(BadInputError):
    """A diff cannot be read, whatever it is applied to."""


class BudgetExhaustedError(AprError):
    """A cap was reached before a verdict could be given."""

    exit_code = ExitCode.BUDGET


class LeaseLostError(AprError):
    """Another process owns this run now."""


class RunHaltedError(AprError):
    """Someone else had a run stopped where it was; nothing of it is lost."""

    exit_code = ExitCode.INTERRUPTED


class RunCancelledError(RunHaltedError):
    """A user cancelled the run."""


class RunHandedBackError(RunHaltedError):
    """A worker gave the run back to the queue, and another one goes on with it."""


class RunElsewhereError(BadInputError):
    """Another process executes this run, or nobody is meant to."""


class ModelRefusedError(BadInputError):
    """A model's endpoint does not take the key, or has no such model."""


class ModelError(EnvironmentUnusableError):
    """A model's endpoint gives no usable reply."""


class PromptTooLongError(ModelError):
    """A prompt does not fit into the model's context."""
