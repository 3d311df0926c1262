"""What came of judging one patch, as it is recorded; with the log it is all that grading needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 1
"""Of a recorded outcome; raised when a field changes its meaning."""


class State(StrEnum):
    """How far it went."""

    TESTED = "tested"  # the test command ended, well or badly
    DOES_NOT_APPLY = "does-not-apply"
    TIMED_OUT = "timed-out"
    CUT_OFF = "cut-off"  # the tests printed more than is kept, and were ended
    BROKEN = "broken"  # infrastructure: no statement about the patch, to be asked again

    @property
    def is_verdict(self) -> bool:
        """Whether it says something about the patch."""
        return self is not State.BROKEN


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    `key` is a digest of everything that could change it. `exit_status` is the test command's, as
    the system tells it. `reason` is a sentence where there is no test output. `attempts` counts
    executions, and `flaky` names tests whose status differed between them.
    """

    key: str
    state: State
    reason: str = ""
    exit_status: int | None = None
    attempts: int = 1
    flaky: tuple[str, ...] = ()
    duration_s: float = 0.0
    sandbox: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def parse_outcome(document: Mapping[str, Any]) -> Outcome | None:
    """The inverse of `document`; None when it is of another schema."""
    fields = dict(document)
    if fields.pop("schema_version", None) != SCHEMA_VERSION:
        return None
    try:
        flaky = tuple(fields.pop("flaky"))
        return Outcome(**{**fields, "state": State(fields["state"])}, flaky=flaky)
    except (KeyError, TypeError, ValueError):
        return None
