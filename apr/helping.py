"""Helping the searcher of a run: the same subject and oracle, and the patches it lays out."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from apr.core.errors import (
    BadInputError,
    BoardUnavailableError,
    EnvironmentUnusableError,
    RunCancelledError,
    RunHandedBackError,
)
from apr.core.oracle import Oracle
from apr.core.ports import BoardResult, RunStore, ValidationBoard
from apr.core.run import RepairRun, RunStatus
from apr.core.tracing import Tracing
from apr.ownership import HandBack, stop_if_cancelled, watching
from apr.repair import open_validator
from apr.settings import RunSettings
from apr.storage.oracle import decode_oracle
from apr.subject import prepare_subject
from validation.sandbox.admission import RESERVE_MIB, memory_available_mib
from validation.sandbox.switch import Switch
from validation.validator import StagedValidator

ORACLE = "oracle"
IDLE_S = 3.0
"""So long a helper that got some waits for the next patches before it is free for others."""
WAIT_S = 0.5


@dataclass(slots=True)
class _Post:
    """A validator kept warm for one run."""

    validator: StagedValidator
    switch: Switch
    stack: ExitStack


class Helper:
    """Judges patches for searchers elsewhere; used by one thread at a time.

    The validators of the last few runs stay warm. Used as a `with` block.
    """

    def __init__(
        self, store: RunStore, board: ValidationBoard, tracing: Tracing, keep_warm: int = 2
    ) -> None:
        self._store = store
        self._tracing = tracing
        self._board = board
        self._keep_warm = keep_warm
        self._posts: OrderedDict[str, _Post] = OrderedDict()

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *_: object) -> None:
        for run_id in list(self._posts):
            self._leave(run_id)

    def help(self, run_id: str, hand_back: HandBack) -> int:
        """Judge the run's patches until none come any more, or we are wanted elsewhere.

        The number of patches judged. What breaks here is the searcher's to repeat.

        Raises:
            RunHandedBackError: when `hand_back` says so.
            AprError: when the subject cannot be tested here.
        """
        run = self._store.get_run(run_id)
        if run.status is not RunStatus.RUNNING:
            return 0
        post = self._post(run)
        if post is None:
            return 0
        judged = 0
        look = partial(stop_if_cancelled, self._store, run_id, post.switch)
        try:
            with watching(post.switch, look):
                for _ in self._validate(run_id, post.validator, hand_back):
                    judged += 1
        except (EnvironmentUnusableError, RunCancelledError):
            self._leave(run_id)
            raise
        except BoardUnavailableError:
            return judged
        return judged

    def _validate(
        self, run_id: str, validator: StagedValidator, hand_back: HandBack
    ) -> Iterator[None]:
        """Judge the items laid out, as they come; yields after each."""
        idle_until = time.monotonic() + WAIT_S
        while time.monotonic() < idle_until:
            reason = hand_back()
            if reason is not None:
                raise RunHandedBackError(reason)
            items = self._board.take(run_id, 1, WAIT_S)
            while items:
                validator.plan.adopt(items[0].learned)
                with self._tracing.span("validate", run_id, helper=True):
                    report = validator.judge([items[0].patch])[0]
                result = BoardResult(items[0].batch, items[0].index, report)
                # What is taken has to be judged: nothing, if we are wanted elsewhere.
                items = self._board.hand_in(run_id, result, more=int(hand_back() is None))
                idle_until = time.monotonic() + IDLE_S
                yield

    def _post(self, run: RepairRun) -> _Post | None:
        """The run's warm validator, or a new one; None when there is no memory or oracle for it."""
        if run.id in self._posts:
            self._posts.move_to_end(run.id)
            return self._posts[run.id]
        settings = RunSettings.model_validate(run.settings)
        saved = self._store.load_artifact(run.id, ORACLE)
        while len(self._posts) >= self._keep_warm:
            self._leave(next(iter(self._posts)))
        if saved is None or memory_available_mib() - RESERVE_MIB < settings.memory_mib:
            return None
        post = open_post(run, settings, decode_oracle(saved))
        self._posts[run.id] = post
        return post

    def _leave(self, run_id: str) -> None:
        post = self._posts.pop(run_id, None)
        if post is not None:
            post.stack.close()


def open_post(run: RepairRun, settings: RunSettings, oracle: Oracle) -> _Post:
    """A validator for the run, entered; it judges one patch at a time.

    Raises:
        BadInputError: when the subject is not here, or not the one that the run began with.
    """
    with ExitStack() as stack:
        switch = Switch()
        subject = stack.enter_context(prepare_subject(run.bug, settings, switch))
        if subject.digest != oracle.subject_digest:
            raise BadInputError(f"{run.bug.subject} is another one here than where {run.id} began")
        alone = settings.model_copy(update={"jobs": 1})
        validator = stack.enter_context(open_validator(subject, oracle, alone))
        return _Post(validator, switch, stack.pop_all())
