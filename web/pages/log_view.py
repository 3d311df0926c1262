"""The events of a run as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apr.core.run import RunEvent
from web.pages import words

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogLine:
    """What happened when, `after_s` seconds after the first line."""

    number: int
    at: datetime
    after_s: float
    kind: str
    text: str


def log_view(events: Sequence[RunEvent]) -> tuple[LogLine, ...]:
    """A line for each event."""
    return tuple(
        LogLine(
            event.sequence,
            event.at,
            (event.at - events[0].at).total_seconds(),
            event.kind,
            describe(event),
        )
        for event in events
    )


def describe(event: RunEvent) -> str:
    """The event in a sentence; its data where none is known for it."""
    told = _SENTENCES.get(event.kind)
    try:
        if told is not None:
            return told(event.data)
    except (KeyError, TypeError, ValueError):  # written by another version
        pass
    return ", ".join(f"{name}: {value}" for name, value in event.data.items())


def _baseline(data: Data) -> str:
    parts = [f"{data[kind]:,} {kind}" for kind in ("failing", "passing", "flaky", "skipped")]
    known = ", known from an earlier run" if data.get("is_known") else ""
    return f"tests: {', '.join(parts)}; {words.duration(data['duration_s'])}{known}"


def _locations(data: Data) -> str:
    return f"{words.count(data['count'], 'suspect')}, first {', '.join(data['top'])}"


def _search(data: Data) -> str:
    plausible = f", {data['plausible']} plausible" if data["plausible"] else ""
    speed = f"{data['rate']:.0f} a second"
    return f"{words.count(data['candidates'], 'candidate')} judged, {speed}{plausible}"


def _model(data: Data) -> str:
    known = f", {data['from_cache']} known already" if data["from_cache"] else ""
    rejected = sum(data["rejected"].values())
    return (
        f"{words.count(data['requests'], 'request')}{known};"
        f" {words.count(data['answers'], 'answer')}, {rejected} without a patch"
    )


_SENTENCES: Mapping[str, Callable[[Data], str]] = {
    "phase": lambda data: f"begins: {data['name']}" if data["name"] != "done" else "done",
    "sandbox": lambda data: f"the subject runs in {data['name']}",
    "warning": lambda data: str(data["message"]),
    "baseline": _baseline,
    "locations": _locations,
    "search": _search,
    "plausible": lambda data: f"node {data['node']} is plausible: {data['origin']}",
    "discrepancy": lambda data: str(data["question"]),
    "failed": lambda data: str(data["message"]),
    "model": _model,
}
