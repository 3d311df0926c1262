"""The report on a run: the official keys, and every prediction in exactly one of its lists."""

from __future__ import annotations

from typing import Any

from apr.datasets.swebench.instances import Prediction
from apr.evaluation.outcome import Outcome, State, parse_outcome
from apr.evaluation.report import Graded, make_report


def graded(name: str, state: State, **more: Any) -> Graded:
    report = {name: more.pop("report")} if "report" in more else None
    return Graded(Prediction(name, "t", "x"), Outcome("k", state), report, **more)


def test_every_prediction_is_counted_once_and_infrastructure_stays_in_the_denominator() -> None:
    document = make_report(
        ["good", "bad", "broken", "late", "odd", "empty", "absent"],
        {
            "good": graded("good", State.TESTED, report={"resolved": True}),
            "bad": graded("bad", State.TESTED, report={"resolved": False}),
            "broken": graded("broken", State.BROKEN),
            "late": graded("late", State.TIMED_OUT, suspicion=("tests_timed_out", False)),
            "odd": graded("odd", State.DOES_NOT_APPLY),
            "empty": Graded(Prediction("empty", "t", "")),
        },
    )
    assert document["total_instances"] == 7
    assert document["submitted_instances"] == 6
    assert document["completed_ids"] == ["bad", "good"]
    assert document["resolved_ids"] == ["good"]
    assert document["unresolved_ids"] == ["bad"]
    assert document["error_ids"] == ["broken", "late", "odd"]
    assert document["empty_patch_ids"] == ["empty"]
    assert document["incomplete_ids"] == ["absent"]
    assert document["infra_failure_ids"] == ["broken"]
    assert document["ambiguous_failure_ids"] == ["late"]
    assert document["failure_reasons"] == {
        "broken": "environment_unusable",
        "late": "tests_timed_out",
    }


def test_outcomes_of_another_schema_are_not_read() -> None:
    document = Outcome("k", State.TESTED, flaky=("t",)).document()
    assert parse_outcome(document) == Outcome("k", State.TESTED, flaky=("t",))
    assert parse_outcome({**document, "schema_version": 0}) is None
    assert parse_outcome({**document, "state": "new"}) is None
    assert parse_outcome({"schema_version": document["schema_version"]}) is None
