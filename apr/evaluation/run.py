"""Evaluates many predictions at once, and grades what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from apr.core.errors import RunHaltedError
from apr.datasets.swebench.instances import Instance, Prediction
from apr.evaluation.archive import Archive, name_of
from apr.evaluation.grading import classify, grade
from apr.evaluation.judge import Judge
from apr.evaluation.outcome import Outcome
from apr.evaluation.report import Graded

Question = tuple[Instance, Prediction]
OnGraded = Callable[[Graded], None]


def evaluate(
    questions: Sequence[Question], judge: Judge, workers: int, on_graded: OnGraded
) -> dict[str, Graded]:
    """Judge and grade each prediction, `workers` at once; the result is by instance.

    On an interruption what runs is ended, and what was finished is kept.
    """
    pool = ThreadPoolExecutor(workers, "evaluation")
    futures = {pool.submit(judge.judge, *question): question for question in questions}
    graded = {}
    try:
        for future in as_completed(futures):
            instance, prediction = futures[future]
            graded[instance.instance_id] = grade_kept(
                judge.run, instance, prediction, future.result()
            )
            on_graded(graded[instance.instance_id])
    except BaseException:
        judge.switch.turn_off(RunHaltedError("the evaluation was interrupted"))
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return graded


def regrade(questions: Sequence[Question], archive: Archive) -> dict[str, Graded]:
    """Grade what is kept and run nothing; what is not there has no outcome."""
    return {
        instance.instance_id: grade_kept(
            archive, instance, prediction, archive.load(*name_of(prediction))
        )
        for instance, prediction in questions
    }


def grade_kept(
    archive: Archive, instance: Instance, prediction: Prediction, outcome: Outcome | None
) -> Graded:
    """The grade of a kept judgement, whose official report is written beside it."""
    if outcome is None:
        return Graded(prediction)
    log = archive.log_path(*name_of(prediction))
    report = grade(instance, outcome, log)
    archive.save_report(report, *name_of(prediction))
    is_resolved = report is not None and report[instance.instance_id]["resolved"]
    return Graded(prediction, outcome, report, None if is_resolved else classify(log))


def pair(dataset: Mapping[str, Instance], predictions: Mapping[str, Prediction]) -> list[Question]:
    """The predictions that have something to judge, in the order of the dataset."""
    return [
        (instance, predictions[name])
        for name, instance in dataset.items()
        if name in predictions and predictions[name].patch
    ]
