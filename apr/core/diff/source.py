"""The bytes of a diff, line by line, and errors that say which line was meant."""

from __future__ import annotations

from apr.core.errors import MalformedDiffError


class DiffSource:
    """The text that is being read; positions are byte offsets into `data`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._counted = (0, 1)  # a position, and the line it lies in

    def next_line(self, position: int) -> int:
        """Where the line after the one at `position` begins."""
        return self.data.find(b"\n", position) + 1 or len(self.data)

    def is_ended(self, end: int) -> bool:
        """Whether the line before `end` has its line end, which only the last one may lack."""
        return self.data.startswith(b"\n", end - 1)

    def line_number(self, position: int) -> int:
        """The 1-based line of a position; cheap when they are asked for in rising order."""
        known, line = self._counted if self._counted[0] <= position else (0, 1)
        line += self.data.count(b"\n", known, position)
        self._counted = (position, line)
        return line

    def error(self, position: int, reason: str) -> MalformedDiffError:
        """What to raise about the line at `position`."""
        return MalformedDiffError(f"line {self.line_number(position)} of the diff: {reason}")
