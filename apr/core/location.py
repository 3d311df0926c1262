"""Places in a source tree and how suspicious they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Lines `first`..`last` of `path`, 1-based and inclusive.

    `path` is POSIX and relative to the subject.
    """

    path: str
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"lines {self.first}-{self.last} of {self.path} are no line range")

    def __str__(self) -> str:
        lines = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.path}:{lines}"


@dataclass(frozen=True, slots=True)
class SuspiciousLocation:
    """A location with its suspiciousness in [0, 1] and the evidence it comes from.

    `formula` is the name of the spectrum formula, or `given`, `stack-trace`, `test-name` or
    `issue`. `function` is the qualified name of the enclosing function, if any.
    """

    location: Location
    suspiciousness: float
    formula: str
    function: str | None = None
