"""Judges one prediction: apply, run, and keep what came of it, or find it among what is known."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

from apr.core.errors import BadInputError, EnvironmentUnusableError, SandboxDiedError, is_passing
from apr.datasets.swebench.instances import Instance, Prediction
from apr.evaluation.application import Application, apply_patch
from apr.evaluation.archive import LOG, Archive, Judgement, name_of
from apr.evaluation.execution import Ground, TestRun, render_log, run_tests
from apr.evaluation.grading import statuses
from apr.evaluation.outcome import SCHEMA_VERSION, Outcome, State
from apr.evaluation.script import EvaluationScript, parse_script
from validation.sandbox.switch import Switch
from validation.temporary import temporary_folder

PAUSES_S = (1.0, 5.0)
"""Before broken infrastructure is asked again."""
KILLED = 128 + 9
"""The status of what the system has ended, mostly for want of memory: ours, or the machine's."""


class Grounds(Protocol):
    """Makes places where tests run."""

    sandbox: str

    def prepare(self, instance: Instance, script: EvaluationScript) -> Ground: ...


@dataclass(frozen=True, slots=True)
class Judge:
    """What all judgements of a run have in common.

    `run` keeps them by prediction, `known` by what they depend on, for later runs; None: nothing
    is known. `repeats` executions are compared for flaky tests, and the first one counts.
    """

    grounds: Grounds
    timeout_s: float
    run: Archive
    known: Archive | None
    repeats: int = 1
    switch: Switch = field(default_factory=Switch)
    sleep: Callable[[float], None] = time.sleep

    def judge(self, instance: Instance, prediction: Prediction) -> Outcome:
        """The outcome, which is kept; broken infrastructure is one too, but no verdict."""
        try:
            return self._judge(instance, prediction)
        except (BadInputError, EnvironmentUnusableError) as error:
            broken = Outcome("", State.BROKEN, " ".join(str(error).split()))
            self.run.save(Judgement(broken, ""), prediction.patch, *name_of(prediction))
            return broken

    def _judge(self, instance: Instance, prediction: Prediction) -> Outcome:
        script = parse_script(instance.eval_script, instance.instance_id)
        ground = self.grounds.prepare(instance, script)
        applied = apply_patch(ground.git_dir, instance.base_commit, prediction.patch, script.steps)
        key = self._key(instance, script, applied, ground)
        name = name_of(prediction)
        found = self.run.load(*name)
        if found is not None and found.key == key and found.state.is_verdict:
            return found
        judgement = None if self.known is None else _recall(self.known, key)
        if judgement is None:
            judgement = self._measure(instance, script, applied, ground, key)
            if self.known is not None:
                self.known.save(judgement, prediction.patch, key)
        self.run.save(judgement, prediction.patch, *name)
        return judgement.outcome

    def _key(
        self, instance: Instance, script: EvaluationScript, applied: Application, ground: Ground
    ) -> str:
        parts = (
            SCHEMA_VERSION,
            instance.repository,
            instance.base_commit,
            script.setup,
            script.command,
            applied.digest,
            ground.prelude,
            ground.environment,
            self.grounds.sandbox,
            self.timeout_s,
            self.repeats,
        )
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def _measure(
        self,
        instance: Instance,
        script: EvaluationScript,
        applied: Application,
        ground: Ground,
        key: str,
    ) -> Judgement:
        outcome = Outcome(
            key,
            State.DOES_NOT_APPLY,
            sandbox=self.grounds.sandbox,
            environment=ground.environment,
        )
        if not applied.is_applied:
            reason = " ".join(applied.told.split())[-500:]
            return Judgement(replace(outcome, attempts=0, reason=reason), applied.told)
        runs: list[TestRun] = []
        attempts = 0
        with closing(ground.sandbox):
            while len(runs) < self.repeats or (runs[-1].exit_status == KILLED and attempts < 2):
                runs.append(self._run(ground, applied, script))
                attempts += 1
        logs = [render_log(applied.told, run, self.timeout_s) for run in runs]
        told = next((i for i, run in enumerate(runs) if run.exit_status != KILLED), 0)
        counted = runs[told]
        outcome = replace(
            outcome,
            state=_state(counted),
            reason=_reason(counted, self.timeout_s),
            exit_status=counted.exit_status,
            attempts=attempts,
            flaky=_differing(instance, logs),
            duration_s=round(counted.duration_s, 3),
        )
        return Judgement(outcome, logs[told])

    def _run(self, ground: Ground, applied: Application, script: EvaluationScript) -> TestRun:
        """Execute, again and again a few times while it is the infrastructure that fails."""
        guarded = replace(ground, sandbox=self.switch.guard(ground.sandbox))
        for pause_s in (*PAUSES_S, None):
            try:
                return run_tests(guarded, applied, script, self.timeout_s)
            except EnvironmentUnusableError as error:
                is_worth_a_try = isinstance(error, SandboxDiedError) or is_passing(error)
                if pause_s is None or not is_worth_a_try:
                    raise
                self.sleep(pause_s)
        raise AssertionError


def _recall(known: Archive, key: str) -> Judgement | None:
    outcome = known.load(key)
    if outcome is None or outcome.key != key:
        return None
    log = known.log_path(key).read_bytes().decode("utf-8", "surrogateescape")
    return Judgement(outcome, log)


def _state(run: TestRun) -> State:
    if run.timed_out:
        return State.TIMED_OUT
    return State.CUT_OFF if run.exit_status is None else State.TESTED


def _reason(run: TestRun, timeout_s: float) -> str:
    if run.timed_out:
        return f"the tests took more than {timeout_s:g} s"
    return "the tests printed more than is kept" if run.exit_status is None else ""


def _differing(instance: Instance, logs: list[str]) -> tuple[str, ...]:
    """The tests whose status is not the same in all the logs."""
    if len(logs) < 2:
        return ()
    found = []
    for log in logs:
        with temporary_folder("grade") as folder:
            path = folder / LOG
            path.write_bytes(log.encode("utf-8", "surrogateescape"))
            found.append(statuses(instance, path))
    names = {name for each in found for name in each}
    return tuple(sorted(n for n in names if len({each.get(n) for each in found}) > 1))
