"""Requests that the OpenAPI document allows, and some that it does not, drawn by schemathesis."""

from __future__ import annotations

import httpx

from support.api_fuzz import fuzz
from support.web_server import WebServer
from web.security.principal import Scope

CASES = 2


def test_no_answer_is_a_server_error_or_undocumented(server: WebServer, archive: bytes) -> None:
    with server.client("fuzz") as client:
        source = client.post("/sources/archive", content=archive).json()["source"]
        run = client.post("/runs", json={"source": source}).json()["run"]
        client.post(f"/runs/{run}/cancel")
    headers = {"Authorization": f"Bearer {server.token('fuzz', Scope.ADMIN)}"}
    known = {"run_id": [run], "source_id": [source], "node_id": ["0"]}
    found = fuzz(server.url, headers, known, CASES)
    assert found.failures == []
    assert found.statuses[200] and found.statuses[404] and found.statuses[422]


def test_every_operation_says_what_it_does_and_may_refuse(server: WebServer) -> None:
    document = httpx.get(f"{server.url}/api/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["description"], where
            assert operation["operationId"], where
            assert {"400", "422", "429"} <= set(operation["responses"]), where
            problem = operation["responses"]["422"]["content"]["application/problem+json"]
            assert problem["schema"]["$ref"].endswith("ProblemOut"), where
            assert problem["example"]["status"] == 422, where
