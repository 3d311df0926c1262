"""An oracle as bytes, so that what was measured once need not be measured again.

Two lines of JSON: what readers ask for, and the coverage matrix, which is large and seldom needed.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, replace
from typing import Any

from apr.core.bug import TestId
from apr.core.coverage import CoverageMatrix
from apr.core.location import Location, SuspiciousLocation
from apr.core.oracle import Oracle, Staging
from apr.core.report import Baseline
from apr.storage.codec import decode_result, encode_result


def encode_oracle(oracle: Oracle) -> bytes:
    """Compressed lines of JSON."""
    matrix = None if oracle.matrix is None else _encode_matrix(oracle.matrix)
    document = {
        "baseline": _encode_baseline(oracle.baseline),
        "locations": [_encode_location(location) for location in oracle.locations],
        "subject": oracle.subject_digest,
        "staging": None if oracle.staging is None else asdict(oracle.staging),
    }
    lines = (json.dumps(each, separators=(",", ":")) for each in (document, matrix))
    return zlib.compress("\n".join(lines).encode())


def decode_oracle(data: bytes, *, is_brief: bool = False) -> Oracle:
    """The inverse of `encode_oracle`; a brief one has no matrix."""
    first, _, second = zlib.decompress(data).partition(b"\n")
    document = json.loads(first)
    staging = document.get("staging")
    return Oracle(
        baseline=_decode_baseline(document["baseline"]),
        matrix=None if is_brief else _read_matrix(document, second),
        locations=tuple(_decode_location(fields) for fields in document["locations"]),
        subject_digest=document["subject"],
        staging=None if staging is None else Staging(**staging),
    )


def _read_matrix(document: dict[str, Any], line: bytes) -> CoverageMatrix | None:
    """The matrix of the second line; earlier versions wrote one line, with the matrix in it."""
    matrix = json.loads(line) if line else document["matrix"]
    return None if matrix is None else _decode_matrix(matrix)


def completed(kept: Oracle, later: Oracle) -> Oracle:
    """The oracle kept first, with the later one's staging if it has none."""
    return kept if kept.staging is not None else replace(kept, staging=later.staging)


def _encode_baseline(baseline: Baseline) -> dict[str, Any]:
    fields = {name: getattr(baseline, name) for name in Baseline.__slots__}
    return fields | {
        "failing": [encode_result(result) for result in baseline.failing],
        "durations_s": dict(baseline.durations_s),
        "passes": dict(baseline.passes),
    }


def _decode_baseline(fields: dict[str, Any]) -> Baseline:
    names = ("passing", "flaky", "skipped", "other_failing", "hung")
    tests = {name: tuple(TestId(test) for test in fields[name]) for name in names}
    failing = tuple(decode_result(result) for result in fields["failing"])
    return Baseline(**(fields | tests | {"failing": failing}))


def _encode_matrix(matrix: CoverageMatrix) -> dict[str, Any]:
    return {
        "results": [encode_result(result) for result in matrix.results],
        "lines": {
            path: {line: sorted(tests) for line, tests in lines.items()}
            for path, lines in matrix.lines.items()
        },
        "import_lines": {path: sorted(lines) for path, lines in matrix.import_lines.items()},
    }


def _decode_matrix(fields: dict[str, Any]) -> CoverageMatrix:
    return CoverageMatrix(
        results=tuple(decode_result(result) for result in fields["results"]),
        lines={
            path: {int(line): frozenset(tests) for line, tests in lines.items()}
            for path, lines in fields["lines"].items()
        },
        import_lines={path: frozenset(lines) for path, lines in fields["import_lines"].items()},
    )


def _encode_location(location: SuspiciousLocation) -> dict[str, Any]:
    return asdict(location)


def _decode_location(fields: dict[str, Any]) -> SuspiciousLocation:
    return SuspiciousLocation(**(fields | {"location": Location(**fields["location"])}))
