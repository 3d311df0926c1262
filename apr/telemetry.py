"""Traces for OpenTelemetry, when an endpoint is set: one trace a run, whoever works on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.core.tracing import Attribute

if TYPE_CHECKING:
    from opentelemetry.context import Context

EXPORT_TIMEOUT_S = 5
RUN = "apr.run"


class OpenTelemetryTracing:
    """Implements `apr.core.tracing.Tracing`; spans are sent in batches, by a thread of its own.

    Every span of a run is in the trace that the run's id names, so that those of helpers, and of
    whoever goes on with a run, come together without anything being passed on.
    """

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is an OTLP/HTTP collector's address, such as http://127.0.0.1:4318.

        Raises:
            BadInputError: when it is none.
            EnvironmentUnusableError: when the packages of the extra are absent.
        """
        if not endpoint.startswith(("http://", "https://")):
            raise BadInputError(f"APR_OTLP_ENDPOINT {endpoint} is no address: http://host:4318")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise EnvironmentUnusableError(
                f"APR_OTLP_ENDPOINT needs the Python package {error.name}:"
                " pip install 'apr[telemetry]'"
            ) from error
        address = f"{endpoint.rstrip('/')}/v1/traces"
        exporter = OTLPSpanExporter(endpoint=address, timeout=EXPORT_TIMEOUT_S)
        self._provider = TracerProvider(resource=Resource.create({"service.name": "apr"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("apr")

    @contextmanager
    def span(self, name: str, run_id: str, **attributes: Attribute) -> Iterator[None]:
        """See `Tracing.span`."""
        from opentelemetry import trace

        context = None if trace.get_current_span().is_recording() else trace_of(run_id)
        told = {RUN: run_id} | {f"apr.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, context, attributes=told):
            yield

    def close(self) -> None:
        """See `Tracing.close`."""
        self._provider.shutdown()


def trace_of(run_id: str) -> Context:
    """A parent in the run's trace that nobody has ever seen: its trace's id is what counts."""
    from opentelemetry import trace

    digest = hashlib.sha256(run_id.encode()).digest()
    parent = trace.SpanContext(
        trace_id=int.from_bytes(digest[:16], "big"),
        span_id=int.from_bytes(digest[16:24], "big"),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))
