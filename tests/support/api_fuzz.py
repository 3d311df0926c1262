"""Draws requests from an OpenAPI document and checks every answer against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@dataclass
class Found:
    """How many requests were answered how, and what was wrong with which."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def fuzz(
    url: str, headers: Mapping[str, str], known: Mapping[str, list[str]], cases: int, first: int = 0
) -> Found:
    """Ask every operation `cases` times as the document allows, and as often as it does not.

    `known` has values for parameters of paths, such as ids that exist: half of the cases use them.
    """
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", headers=dict(headers))
    found = Found()
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _ask(operation, mode, headers, known, cases, first, found)
    return found


def _ask(
    operation: Any,
    mode: GenerationMode,
    headers: Mapping[str, str],
    known: Mapping[str, list[str]],
    cases: int,
    first: int,
    found: Found,
) -> None:
    @seed(first)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def ask(case: Any, data: Any) -> None:
        if isinstance(case.path_parameters, dict) and data.draw(st.booleans()):
            for name in case.path_parameters:
                if name in known:
                    case.path_parameters[name] = data.draw(st.sampled_from(known[name]))
        response = case.call(headers=dict(headers), timeout=20)
        found.statuses[response.status_code] += 1
        found.operations[operation.label] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failures:
            shown = [f"{type(one).__name__}: {one}"[:600] for one in failures.exceptions]
            found.failures.append(f"{operation.label} {response.status_code}: {shown}")

    try:
        ask()
    except Exception as error:
        if "Unsatisfiable" not in type(error).__name__:
            raise
