"""Which test executed which line: the raw material of spectrum-based localization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apr.core.report import TestResult


@dataclass(frozen=True, slots=True)
class CoverageMatrix:
    """Statement coverage per test.

    `lines[path][line]` holds indices into `results` of the tests that executed that 1-based
    line; `path` is POSIX, relative to the subject. Lines executed only while a module was being
    imported are listed in `import_lines[path]` and belong to no test in particular.
    """

    results: tuple[TestResult, ...]
    lines: Mapping[str, Mapping[int, frozenset[int]]]
    import_lines: Mapping[str, frozenset[int]]
