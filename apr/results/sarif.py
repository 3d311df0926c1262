"""A run as SARIF 2.1.0: what the tests show, where, and the fixes that make them pass."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from apr import __version__
from apr.core.location import SuspiciousLocation
from apr.core.patch import Hunk, Patch
from apr.results.details import RunDetails

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
PLAUSIBLE, SUSPICIOUS = "APR001", "APR002"
MOST_SUSPECTS = 10
ROOT = "%SRCROOT%"

_RULES = (
    (
        PLAUSIBLE,
        "PlausiblePatch",
        "A failing test has a plausible patch",
        "The patch makes every failing test pass and breaks no other. That does not make it"
        " correct: read it.",
    ),
    (
        SUSPICIOUS,
        "SuspiciousStatement",
        "Failing tests point at this statement",
        "Spectrum-based fault localization ranks this among the most suspicious statements.",
    ),
)


def render_sarif(details: RunDetails) -> str:
    """The log as text; the same run always gives the same text."""
    return json.dumps(sarif_document(details), indent=2) + "\n"


def sarif_document(details: RunDetails) -> dict[str, Any]:
    """One result for each place that the best patch edits, with every patch as a fix of it; the
    suspects when there is none."""
    run = details.run
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "automationDetails": {"id": f"apr/{run.bug.name}/{run.id}"},
                "originalUriBaseIds": {ROOT: {"description": {"text": "The project's folder"}}},
                "columnKind": "unicodeCodePoints",
                "results": list(_results(details)),
                "properties": {"run": run.id, "status": run.status.value},
            }
        ],
    }


def _driver() -> dict[str, Any]:
    return {
        "name": "APR",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [
            {
                "id": identity,
                "name": name,
                "shortDescription": {"text": title},
                "fullDescription": {"text": text},
                "defaultConfiguration": {"level": "error" if identity == PLAUSIBLE else "note"},
            }
            for identity, name, title, text in _RULES
        ],
    }


def _results(details: RunDetails) -> Iterator[dict[str, Any]]:
    fixes = [
        _fix(patch.rank, patch.origin, node.patch)
        for patch in details.run.patches
        if (node := details.node(patch)) is not None
    ]
    best = details.node(details.run.patches[0]) if details.run.patches else None
    if best is None:
        for suspect in details.locations[:MOST_SUSPECTS]:
            yield _suspect(suspect, details)
        return
    where = [_location(h.path, h.first, h.first + max(len(h.old), 1) - 1) for h in best.patch.hunks]
    yield {
        "ruleId": PLAUSIBLE,
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": f"{_tests(details)}; a plausible patch is attached."},
        "locations": where[:1],
        "relatedLocations": [{"id": i, **place} for i, place in enumerate(where[1:], 1)],
        "partialFingerprints": {"aprTests/v1": _fingerprint(details)},
        "fixes": fixes,
    }


def _suspect(suspect: SuspiciousLocation, details: RunDetails) -> dict[str, Any]:
    place = suspect.location
    said = f"{_tests(details)}; suspiciousness {suspect.suspiciousness:.2f} ({suspect.formula})."
    return {
        "ruleId": SUSPICIOUS,
        "ruleIndex": 1,
        "level": "note",
        "message": {"text": said},
        "locations": [_location(place.path, place.first, place.last)],
        "partialFingerprints": {"aprTests/v1": _fingerprint(details)},
        "rank": round(100 * suspect.suspiciousness, 1),
    }


def _tests(details: RunDetails) -> str:
    failing = details.baseline.trigger_tests if details.baseline is not None else ()
    if not failing:
        return "A test fails"
    more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    return f"{failing[0]}{more} {'fail' if more else 'fails'}"


def _fingerprint(details: RunDetails) -> str:
    failing = details.baseline.trigger_tests if details.baseline is not None else ()
    return hashlib.sha256("\n".join(sorted(failing)).encode("utf-8", "replace")).hexdigest()


def _fix(rank: int, origin: str, patch: Patch) -> dict[str, Any]:
    return {
        "description": {"text": f"Patch {rank}, by {origin}"},
        "artifactChanges": [
            {
                "artifactLocation": {"uri": quote(path), "uriBaseId": ROOT},
                "replacements": [_replacement(hunk) for hunk in patch.only(path).hunks],
            }
            for path in patch.paths
            if patch.only(path).hunks
        ],
    }


def _replacement(hunk: Hunk) -> dict[str, Any]:
    """Whole lines, from the first one's start to the start of the line after the last one."""
    deleted = {
        "startLine": hunk.first,
        "startColumn": 1,
        "endLine": hunk.first + len(hunk.old),
        "endColumn": 1,
    }
    text = "".join(hunk.new).encode("utf-8", "replace").decode()
    inserted = {"insertedContent": {"text": text}} if hunk.new else {}
    return {"deletedRegion": deleted, **inserted}


def _location(path: str, first: int, last: int) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(path), "uriBaseId": ROOT},
            "region": {"startLine": first, "endLine": last},
        }
    }
