"""What was measured of a subject once: kept by content, and reused by every later run of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from apr.core.bug import Bug, RunnerKind
from apr.core.oracle import Oracle
from apr.core.ports import OracleStore
from apr.repair import Notify, locate_suspects, measure_oracle, tell_baseline
from apr.settings import RunSettings
from apr.subject import PreparedSubject
from apr.suspects import require_issue
from validation.fingerprint import environment_digest, image_id

MEASURED = frozenset({"memory_mib", "repeats", "must_fail", "test_timeout_s", "suite_timeout_s"})
"""The settings that a baseline depends on."""


def find_oracle(
    bug: Bug,
    subject: PreparedSubject,
    settings: RunSettings,
    notify: Notify,
    store: OracleStore,
) -> Oracle:
    """The oracle as it is known, or else measured now.

    All runs with one key get the same baseline, also when several measure it at once: the one
    kept first holds for all of them. The suspects are ranked anew each time, since that costs
    little and depends on settings that the baseline does not.

    Raises:
        BadInputError, NotReproducedError, EnvironmentUnusableError: see `reproduce`.
    """
    require_issue(settings, bug.issue_text)
    key = oracle_key(bug, subject, settings)
    if key is None:
        return measure_oracle(bug, subject, settings, notify)
    known = store.load_oracle(key)
    if known is None:
        measured = measure_oracle(bug, subject, settings, notify)
        kept = keep_oracle(key, measured, store)
        if kept == replace(measured, locations=()):
            return measured
        known = kept
    tell_baseline(known.baseline, notify, is_known=True)
    return locate_suspects(known, subject, settings, notify)


def keep_oracle(key: str | None, oracle: Oracle, store: OracleStore) -> Oracle:
    """Keep what was measured, the suspects left out; see `OracleStore.keep_oracle`."""
    return oracle if key is None else store.keep_oracle(key, replace(oracle, locations=()))


def oracle_key(bug: Bug, subject: PreparedSubject, settings: RunSettings) -> str | None:
    """All that a baseline depends on, as one digest; None when it must be measured each time.

    The subject's path counts, since an editable install or a test may know it. What a command
    runs cannot be told from outside, so without an image its baseline is not reused.
    """
    command = bug.test_command
    if not settings.reuse_baseline:
        return None
    if subject.image is None and command.kind is RunnerKind.COMMAND:
        return None
    image = None if subject.image is None else image_id(subject.image)
    limits = settings.model_dump(mode="json", include=set(MEASURED))
    known = {
        "subject": [bug.subject, subject.digest],
        "tests": [list(bug.trigger_tests), list(bug.source_globs)],
        "environment": environment_digest(command, subject.sandbox.name, image, limits),
    }
    text = json.dumps(known, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
