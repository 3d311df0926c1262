"""Why a patch is refused: one kind, one place, one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ViolationKind(StrEnum):
    """What a refused patch touches or newly reaches for."""

    # where it edits
    OUTSIDE_SUBJECT = "outside-subject"
    OUTSIDE_SCOPE = "outside-scope"
    TESTS = "tests"
    TEST_CONFIGURATION = "test-configuration"
    STARTUP = "startup"
    VERSION_CONTROL = "version-control"
    CONTINUOUS_INTEGRATION = "continuous-integration"
    SHADOWING = "shadowing"

    # what its code newly reaches for
    TEST_MACHINERY = "test-machinery"
    TEST_AWARENESS = "test-awareness"
    PROCESS_CONTROL = "process-control"
    INTROSPECTION = "introspection"
    REFLECTION = "reflection"
    IMPORT_MACHINERY = "import-machinery"
    RAW_OUTPUT = "raw-output"
    NATIVE_CODE = "native-code"
    OTHER_PROCESSES = "other-processes"
    NETWORK = "network"
    FOREIGN_STATE = "foreign-state"
    FORGED_EQUALITY = "forged-equality"
    SWALLOWED_FAILURE = "swallowed-failure"

    @property
    def is_about_paths(self) -> bool:
        """Whether the file itself may not be touched, whatever the edit says."""
        return self in _ABOUT_PATHS


_ABOUT_PATHS = frozenset(
    {
        ViolationKind.OUTSIDE_SUBJECT,
        ViolationKind.OUTSIDE_SCOPE,
        ViolationKind.TESTS,
        ViolationKind.TEST_CONFIGURATION,
        ViolationKind.STARTUP,
        ViolationKind.VERSION_CONTROL,
        ViolationKind.CONTINUOUS_INTEGRATION,
        ViolationKind.SHADOWING,
    }
)

CAPABILITY_KINDS: tuple[ViolationKind, ...] = tuple(
    kind for kind in ViolationKind if not kind.is_about_paths
)
"""The kinds that can be allowed one by one; paths are allowed by pattern."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a patch is refused; `line` is 1-based in the patched file, 0 for the file as a whole.

    `message` is one sentence that stands alone and says how to allow it.
    """

    kind: ViolationKind
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return self.message
