"""The files that a run leaves behind, by name: the same for a CI job and for the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from apr.results.details import RunDetails, run_document
from apr.results.junit import render_run_junit
from apr.results.markdown import render_markdown
from apr.results.page import render_page
from apr.results.predictions import render_prediction
from apr.results.sarif import render_sarif


class FileName(StrEnum):
    """What the files are called."""

    PATCH = "patch.diff"
    SARIF = "run.sarif"
    JUNIT = "junit.xml"
    PREDICTIONS = "predictions.jsonl"
    PAGE = "report.html"
    SUMMARY = "summary.md"
    DOCUMENT = "run.json"


@dataclass(frozen=True, slots=True)
class ResultFile:
    """What a file is, and how it is made; None: the run has nothing to put in it."""

    media_type: str
    render: Callable[[RunDetails], str | None]


def _patch(details: RunDetails) -> str | None:
    return details.run.patches[0].diff if details.run.patches else None


def _document(details: RunDetails) -> str:
    return json.dumps(run_document(details), indent=2) + "\n"


FILES: Mapping[FileName, ResultFile] = {
    FileName.PATCH: ResultFile("text/x-diff", _patch),
    FileName.SARIF: ResultFile("application/sarif+json", render_sarif),
    FileName.JUNIT: ResultFile("application/xml", render_run_junit),
    FileName.PREDICTIONS: ResultFile("application/jsonl", lambda d: render_prediction(d.run)),
    FileName.PAGE: ResultFile("text/html", render_page),
    FileName.SUMMARY: ResultFile("text/markdown", render_markdown),
    FileName.DOCUMENT: ResultFile("application/json", _document),
}
