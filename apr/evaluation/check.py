"""Whether an instance can judge patches: graded without a patch, and with the developers'."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from apr.bench.check import MOST_NAMED, NOT_REPRODUCED, REFERENCE_FAILS, SOUND, BugCheck
from apr.bench.journal import ERROR
from apr.datasets.swebench.instances import Instance, Prediction
from apr.evaluation.judge import Judge
from apr.evaluation.report import Graded
from apr.evaluation.run import grade_kept

GOLD, EMPTY = "gold", "empty"
F2P, P2P = "FAIL_TO_PASS", "PASS_TO_PASS"


def check_instance(judge: Judge, instance: Instance) -> BugCheck:
    """Judge both patches of an instance."""
    started = time.monotonic()
    found = []
    for tool, patch in ((EMPTY, ""), (GOLD, instance.gold_patch)):
        prediction = Prediction(instance.instance_id, tool, patch)
        outcome = judge.judge(instance, prediction)
        found.append(grade_kept(judge.run, instance, prediction, outcome))
    check = judge_pair(instance, *found)
    return replace(check, wall_s=round(time.monotonic() - started, 1))


def judge_pair(instance: Instance, empty: Graded, gold: Graded) -> BugCheck:
    """The check of an instance by what was found without a patch and with the developers'."""
    outcomes = [each.outcome for each in (empty, gold) if each.outcome is not None]
    check = BugCheck(
        instance.instance_id,
        SOUND,
        triggers=len(instance.fail_to_pass),
        regressions=len(instance.pass_to_pass),
        flaky=tuple(dict.fromkeys(name for each in outcomes for name in each.flaky))[:MOST_NAMED],
    )
    broken = next((each for each in (empty, gold) if each.is_broken), None)
    if broken is not None and broken.outcome is not None:
        return replace(check, verdict=ERROR, message=broken.outcome.reason)
    if passing := _tests(empty, F2P, "success"):
        said = f"without a patch {_count(passing, instance.fail_to_pass, F2P)} pass"
        return _against(check, NOT_REPRODUCED, said, passing)
    if not gold.is_resolved:
        return _explain(check, instance, gold)
    if failing := _tests(empty, P2P, "failure"):
        said = f"without a patch {_count(failing, instance.pass_to_pass, P2P)} fail"
        return _against(check, SOUND, said if empty.report else "", failing)
    return check


def _explain(check: BugCheck, instance: Instance, gold: Graded) -> BugCheck:
    failing = (*_tests(gold, F2P, "failure"), *_tests(gold, P2P, "failure"))
    if not failing:
        reason = gold.outcome.reason if gold.outcome else ""
        return _against(check, REFERENCE_FAILS, reason or "its tests report nothing", ())
    parts = [
        _count(found, expected, name)
        for name, expected in ((F2P, instance.fail_to_pass), (P2P, instance.pass_to_pass))
        if (found := _tests(gold, name, "failure"))
    ]
    said = f"with the reference patch {' and '.join(parts)} fail"
    return _against(check, REFERENCE_FAILS, said, failing)


def _against(check: BugCheck, verdict: str, said: str, tests: Sequence[str]) -> BugCheck:
    return replace(check, verdict=verdict, message=said, disagreeing=tuple(tests)[:MOST_NAMED])


def _count(found: Sequence[str], expected: Sequence[str], name: str) -> str:
    return f"{len(found)} of {len(expected)} {name}"


def _tests(graded: Graded, name: str, what: str) -> tuple[str, ...]:
    """The tests of a list by what became of them; none where there is no report on tests."""
    report: Mapping[str, object] = (graded.report or {}).get(graded.prediction.instance_id, {})
    status = report.get("tests_status")
    return tuple(status[name][what]) if isinstance(status, dict) else ()
