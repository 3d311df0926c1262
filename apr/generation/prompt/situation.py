"""What a question to a model is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apr.core.patch import Patch, split_lines
from apr.core.report import TestResult, ValidationReport
from apr.generation.prompt.answer import Focus
from apr.generation.prompt.matching import indent_of
from apr.generation.prompt.neighbours import Project


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a prompt is made of: the code as `patch` leaves it, and what its tests said.

    `base` and `sources` are the texts without and with `patch`; `report` judges it (None at the
    root, where `failures` are the baseline's). `project` indexes the base. `hunk` are the 1-based
    lines that are to be rewritten, when those alone are asked for.
    """

    focus: Focus
    base: Mapping[str, str]
    sources: Mapping[str, str]
    patch: Patch
    report: ValidationReport | None
    failures: Sequence[TestResult]
    tests: Mapping[str, str]
    project: Project
    issue: str | None = None
    hunk: range | None = None

    @property
    def what(self) -> str:
        """The focused code, as a sentence names it."""
        return f"function `{self.focus.name}`" if self.focus.name else "code"

    @property
    def focused_code(self) -> str:
        """The lines of the focus, without the indentation that all of them share."""
        lines = self.focused_lines
        indent = indent_of(next((line for line in lines if line.strip()), ""))
        return "".join(line.removeprefix(indent) for line in lines).rstrip()

    @property
    def focused_lines(self) -> list[str]:
        """The lines of the focus as they stand in the file, with their ends."""
        focus = self.focus
        return split_lines(self.sources[focus.path])[focus.first - 1 : focus.last]
