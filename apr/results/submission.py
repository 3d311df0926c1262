"""The files of a submission to SWE-bench's leaderboard, as its experiments repository has them.

A folder with `all_preds.jsonl`, `metadata.yaml`, `README.md`, `trajs/` with one trajectory an
instance, and `logs/` with a folder an instance, to which evaluation adds its own files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from apr.bench.records import PLAUSIBLE, BugRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """Who submits: `model` is who proposed the patches, a language model or the templates.

    `attempts` counts the plausible patches of which one was chosen. `given_tests` says that
    FAIL_TO_PASS was known, which the leaderboard does not allow.
    """

    model: str
    is_language_model: bool
    attempts: int
    given_tests: bool

    @property
    def name(self) -> str:
        """What `model_name_or_path` says in every prediction."""
        return f"apr-{self.model}"


def render_predictions(records: Sequence[BugRecord], entry: Entry) -> str:
    """One line an instance; an empty patch says that none was found."""
    lines = (
        {
            "instance_id": record.bug,
            "model_name_or_path": entry.name,
            "model_patch": record.diff if record.verdict == PLAUSIBLE else "",
        }
        for record in records
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def render_metadata(entry: Entry) -> str:
    """What the leaderboard shows; the empty fields are the submitter's to fill in.

    Every value is written as JSON, which is YAML too.
    """
    attempts = "1" if entry.attempts == 1 else "2+"
    told = {"name": f"APR + {entry.model}", "authors": "", "site": "", "report": "", "logo": ""}
    info = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in told.items())
    model = [entry.model] if entry.is_language_model else []
    return (
        f"info:\n{info}tags:\n  checked: false\n  model: {json.dumps(model)}\n  org: []\n"
        f"  os_model: {json.dumps(not entry.is_language_model)}\n  os_system: true\n"
        f"  system:\n    attempts: {json.dumps(attempts)}\n"
    )


def render_readme(records: Sequence[BugRecord], entry: Entry) -> str:
    """What was done, and the leaderboard's own checklist, ticked as far as it is true."""
    patched = sum(record.verdict == PLAUSIBLE for record in records)
    counts = f"{len(records)} instances: {patched} with a patch, {len(records) - patched} without."
    knows_tests = entry.given_tests
    rows = (
        (True, "One prediction for each instance (pass@1)"),
        (not knows_tests, "No knowledge of the tests (FAIL_TO_PASS, PASS_TO_PASS) is used"),
        (True, "The field `hints_text` is not used"),
        (True, "Nothing is looked up on the web"),
    )
    listed = "".join(f"- [{'x' if holds else ' '}] {text}\n" for holds, text in rows)
    refused = (
        "\nMade with the trigger tests given: this is no submission to the leaderboard.\n"
        if knows_tests
        else ""
    )
    return (
        f"# APR + {entry.model}\n\n{counts}\n{refused}\n"
        "APR finds suspects by the words of the issue and by what the failing tests execute, makes"
        " a test of the issue where it can, searches for patches that pass it and break no test"
        " near them, and chooses among several by what most of them do. How each patch was found"
        " is told in `trajs/`; `logs/` has the patches, and evaluation adds its reports there.\n\n"
        f"## Checklist\n\n{listed}"
    )
