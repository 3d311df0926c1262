"""An oracle as bytes, so that what was measured once need not be measured again."""

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
    """Compressed JSON."""
    document = {
        "baseline": _encode_baseline(oracle.baseline),
        "matrix": None if oracle.matrix is None else _encode_matrix(oracle.matrix),
        "locations": [_encode_location(location) for location in oracle.locations],
        "subject": oracle.subject_digest,
        "staging": None if oracle.staging is None else asdict(oracle.staging),
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def decode_oracle(data: bytes) -> Oracle:
    """The inverse of `encode_oracle`."""
    document = json.loads(zlib.decompress(data))
    matrix, staging = document["matrix"], document.get("staging")
    return Oracle(
        baseline=_decode_baseline(document["baseline"]),
        matrix=None if matrix is None else _decode_matrix(matrix),
        locations=tuple(_decode_location(fields) for fields in document["locations"]),
        subject_digest=document["subject"],
        staging=None if staging is None else Staging(**staging),
    )


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
