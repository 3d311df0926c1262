"""What goes wrong with one attempt to get a reply, and what it means for the next one."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from types import ModuleType
from typing import TYPE_CHECKING, Any

from apr.core.errors import AprError, ModelError, ModelRefusedError, PromptTooLongError
from apr.llm.retry import is_retried, retry_after_s

if TYPE_CHECKING:
    from openai import APIStatusError

_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
_TOO_LONG = re.compile(r"context[ _](length|size|window)|maximum context|exceed\w* .*context", re.I)
_NO_MODEL = re.compile(r"\bmodel\b.*(not (found|exist)|does ?n.t exist|unknown|no such)", re.I)
_GATEWAY = frozenset({502, 504})  # whoever says so does not know what the model did


class Charge(StrEnum):
    """What a failed attempt may have cost."""

    NOTHING = "nothing"  # it was never sent
    CALL = "call"  # it was turned away
    ALL = "all"  # nobody knows: all that was reserved for it


class FailedAttemptError(Exception):
    """One attempt failed; `wait_s` is what the server asked for.

    `fatal` is what to raise at once, since asking again cannot help. `is_overload` concerns
    every other request too. `is_lesson` says that the next attempt will be another one.
    """

    def __init__(
        self,
        message: str,
        charge: Charge = Charge.ALL,
        *,
        fatal: type[AprError] | None = None,
        wait_s: float | None = None,
        is_overload: bool = False,
        is_lesson: bool = False,
    ) -> None:
        super().__init__(message)
        self.charge = charge
        self.fatal = fatal
        self.wait_s = wait_s
        self.is_overload = is_overload
        self.is_lesson = is_lesson


class EndlessReplyError(Exception):
    """A reply of more bytes than any model writes."""


def expected_errors() -> tuple[type[Exception], ...]:
    """Whatever the SDK and its HTTP library raise when the other side misbehaves."""
    from openai import APIError

    http = http_library()
    return (
        APIError,
        http.HTTPError,
        http.StreamError,
        EndlessReplyError,
        OSError,  # TimeoutError is one
        ValueError,  # JSON, encodings, and pydantic's errors
    )


def http_library() -> ModuleType:
    """The HTTP library that this version of the SDK is built on, under whatever name."""
    from openai import DefaultAsyncHttpxClient

    base = DefaultAsyncHttpxClient.__mro__[1]
    return sys.modules[base.__module__.partition(".")[0]]


def explain(error: Exception, timeout_s: float) -> FailedAttemptError:
    """The error in our terms."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        return _of_status(error)
    if isinstance(error, APIConnectionError) or _is_transport(error):
        cause = error.__cause__ or error
        charge = Charge.NOTHING if type(cause).__name__ in _NEVER_SENT else Charge.ALL
        if isinstance(error, APITimeoutError) or "Timeout" in type(cause).__name__:
            return FailedAttemptError(f"no reply within {timeout_s:g} s", charge)
        return FailedAttemptError(f"the connection failed: {_words(cause)}", charge)
    if isinstance(error, TimeoutError):
        return FailedAttemptError(f"no reply within {timeout_s:g} s")
    if isinstance(error, EndlessReplyError):
        return FailedAttemptError(str(error))
    return FailedAttemptError(f"the reply makes no sense: {_words(error)}")


def _is_transport(error: Exception) -> bool:
    library = http_library()
    return isinstance(error, library.HTTPError | library.StreamError)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _of_status(error: APIStatusError) -> FailedAttemptError:
    status, text = error.status_code, str(error)
    asked_s = retry_after_s(error.response.headers)
    is_final = not is_retried(status) or "insufficient_quota" in text
    return FailedAttemptError(
        text,
        Charge.ALL if status in _GATEWAY else Charge.CALL,
        fatal=_fatal(status, text) if is_final else None,
        wait_s=asked_s,
        is_overload=status in (429, 503) or asked_s is not None,
    )


def _fatal(status: int, text: str) -> type[AprError]:
    if status in (400, 413, 422) and _TOO_LONG.search(text):
        return PromptTooLongError
    if status in (401, 403, 404) or (status in (400, 422) and _NO_MODEL.search(text)):
        return ModelRefusedError
    return ModelError


def refused_parameter(error: Exception) -> tuple[str, str | None] | None:
    """The message and the parameter named in a 400 or 422; None for every other error."""
    from openai import APIStatusError

    if not isinstance(error, APIStatusError) or error.status_code not in (400, 422):
        return None
    body: Any = error.body
    named = body.get("param") if isinstance(body, Mapping) else None
    return str(error), named if isinstance(named, str) else None
