"""With an endpoint set, a collector sees what a run did; without one, or the packages, nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from apr.telemetry import OpenTelemetryTracing
from support.collector import collecting
from support.e2e import BUGS, Apr
from support.postgres import free_port

FIX = ("fix", BUGS / "off_by_one" / "subject", "--seed", 1, "--candidates", 20)
WITHOUT_PACKAGES = "import sys; sys.modules['opentelemetry.sdk.resources'] = None\n"


@pytest.fixture(autouse=True)
def subjects_python(plain_python: None) -> None:
    """What subjects are run by."""


def test_the_spans_of_a_run_are_one_trace(tmp_path: Path) -> None:
    apr = Apr(tmp_path)
    with collecting() as collector:
        fixed = apr(*FIX, "--format", "json", APR_OTLP_ENDPOINT=collector.endpoint)
    assert fixed.returncode == 0, fixed.stderr
    run_id = json.loads(fixed.stdout)["run"]
    spans = collector.spans
    assert {span.attributes["apr.run"] for span in spans} == {run_id}
    assert len({span.trace for span in spans}) == 1
    (whole,) = [span for span in spans if span.name == "run"]
    parts = [span for span in spans if span is not whole]
    assert {span.name for span in parts} == {"localize", "generate", "validate"}
    assert all(span.parent == whole.id for span in parts)
    assert 0 < sum(span.seconds for span in parts) <= whole.seconds
    away = apr(*FIX, "--format", "json", APR_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 0, away.stderr
    diffs = [[p["diff"] for p in json.loads(done.stdout)["patches"]] for done in (fixed, away)]
    assert diffs[0] == diffs[1] != []


def test_whoever_works_on_a_run_is_in_its_trace() -> None:
    with collecting() as collector:
        for helper in (False, True):
            tracing = OpenTelemetryTracing(collector.endpoint)
            with tracing.span("validate", "run-1", helper=helper):
                pass
            tracing.close()
    first, second = collector.spans
    assert first.trace == second.trace
    assert first.id != second.id
    assert second.attributes == {"apr.run": "run-1", "apr.helper": True}


def test_an_endpoint_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    apr = Apr(tmp_path)
    wrong = apr("runs", APR_OTLP_ENDPOINT="localhost:4318")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "is no address" in wrong.stderr
    without = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES + "from apr.cli.main import run; run()", "runs"],
        env=apr.environment | {"APR_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (without.returncode, without.stdout) == (3, "")
    assert "pip install 'apr[telemetry]'" in without.stderr
