"""What is known of a subject before any patch is judged."""

from __future__ import annotations

from dataclasses import dataclass

from apr.core.coverage import CoverageMatrix
from apr.core.location import SuspiciousLocation
from apr.core.report import Baseline


@dataclass(frozen=True, slots=True)
class Staging:
    """How the subject's tests can be run: in stages, and with a folder they may write to.

    Measured once, since a resumed run must judge as it did before.
    """

    is_staged: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class Oracle:
    """A subject's tests' behaviour and the suspects.

    `subject_digest` identifies the version of the subject that was measured; `staging` is None
    until a validator has found it out.
    """

    baseline: Baseline
    matrix: CoverageMatrix | None
    locations: tuple[SuspiciousLocation, ...]
    subject_digest: str
    staging: Staging | None = None
