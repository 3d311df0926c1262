"""What kind of difference one is, seen from the unpatched program.

The kinds are those of Wang et al. (2026, section on semantic categories), as far as behaviour
tells them apart: whether both patches change what the program does with an input, or only one.
"""

from __future__ import annotations

from enum import StrEnum

from validation.patchdiff.compare import differences
from validation.patchdiff.model import Discrepancy


class Kind(StrEnum):
    """Which of two patches departs from the unpatched program; the first is the reference."""

    DIVERGENT = "divergent-implementation"  # both do, in different ways
    SUPPLEMENTARY = "supplementary-change"  # only the second: the reference keeps it as it was
    ABSENT = "absent-change"  # only the reference: the second keeps it as it was
    UNKNOWN = "unknown"  # the unpatched program cannot be asked


def classify(found: Discrepancy, tolerance: float = 1e-9) -> Kind:
    """The kind of a difference between two versions."""
    base = found.base
    if base is None or base.ended == "unusable" or len(found.outcomes) != 2:
        return Kind.UNKNOWN
    reference, other = (bool(differences(base, each, tolerance)) for each in found.outcomes)
    if reference and other:
        return Kind.DIVERGENT
    return Kind.SUPPLEMENTARY if other else Kind.ABSENT
