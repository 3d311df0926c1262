"""`apr evaluate`: SWE-bench's official evaluation of predictions, in APR's sandboxes."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from apr import __version__
from apr.cli.evaluate_options import Conditions, Environment, Inputs, Results
from apr.cli.groups import grouped
from apr.cli.guard import BenchInterruptedError
from apr.cli.output import Format, emit_json, emit_rich, err_console
from apr.cli.text import count, duration, one_line
from apr.core.errors import BadInputError, EnvironmentUnusableError

if TYPE_CHECKING:
    from apr.datasets.swebench.instances import Instance, Prediction
    from apr.evaluation.archive import Archive
    from apr.evaluation.images import MakeBuilder
    from apr.evaluation.judge import Grounds
    from apr.evaluation.report import Graded

GOLD = "gold"


@grouped
def evaluate(inputs: Inputs, conditions: Conditions, results: Results) -> None:
    """Judge predictions for SWE-bench as its official harness does, and write its reports.

    Each patch is applied to its instance, the instance's own test command is run in a sandbox, and
    the swebench package grades what it printed. Broken infrastructure is no verdict: the same
    command asks again only what has none, also after a kill.
    """
    from apr.evaluation.archive import LOGS, Archive, render, write_whole
    from apr.evaluation.report import make_report
    from apr.evaluation.run import pair, regrade

    run = results.run_of(inputs.predictions)
    dataset, predictions = read_inputs(inputs)
    archive = Archive(results.output / LOGS / run)
    questions = pair(dataset, predictions)
    first = next(iter(predictions.values()))
    path = results.output / f"{first.tool.replace('/', '__')}.{run}.json"
    with archive.held():
        if results.regrade:
            graded = regrade(questions, archive)
        else:
            write_whole(archive.root / "run.json", render(describe(inputs, conditions)))
            graded = _evaluate(questions, conditions, results, archive)
        document = make_report(list(dataset), _with_empty(graded, predictions))
        write_whole(path, render(document) + "\n")
    show(document, graded, path, results.form)
    broken = [each for each in graded.values() if each.is_broken or each.outcome is None]
    if broken:
        raise EnvironmentUnusableError(_explain_broken(broken, len(questions)))


def read_inputs(inputs: Inputs) -> tuple[dict[str, Instance], dict[str, Prediction]]:
    """The instances and predictions by id, those that were not asked for left out.

    Raises:
        BadInputError: when there is no prediction, or one for an instance that is not there.
    """
    from apr.datasets.swebench.instances import Prediction, load_dataset, load_predictions

    dataset = load_dataset(inputs.dataset, inputs.split)
    if unknown := sorted(inputs.only - set(dataset)):
        raise BadInputError(f"{inputs.dataset} lacks {', '.join(unknown)}")
    if inputs.predictions == GOLD:
        given = tuple(Prediction(i, GOLD, row.gold_patch) for i, row in dataset.items())
    else:
        given = load_predictions(Path(inputs.predictions))
    predictions = {each.instance_id: each for each in given}
    if unknown := sorted(set(predictions) - set(dataset)):
        raise BadInputError(f"{inputs.dataset} lacks {', '.join(unknown)}")
    if inputs.only:
        dataset = {name: row for name, row in dataset.items() if name in inputs.only}
        predictions = {name: each for name, each in predictions.items() if name in inputs.only}
    if not predictions:
        raise BadInputError(f"{inputs.predictions} has no prediction for what was asked")
    return dataset, predictions


def describe(inputs: Inputs, conditions: Conditions) -> dict[str, Any]:
    """What the run is graded against and with, for the record."""
    from apr.evaluation.grading import official

    return {
        "dataset": inputs.dataset,
        "dataset_sha256": _digest(Path(inputs.dataset)),
        "split": inputs.split,
        "predictions": inputs.predictions,
        "predictions_sha256": _digest(Path(inputs.predictions)),
        "environment": conditions.environment.value,
        "timeout_s": conditions.timeout,
        "memory_mib": conditions.memory,
        "repeats": conditions.repeats,
        "apr": __version__,
        "apr_commit": _own_commit(),
        "swebench": official().version,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _own_commit() -> str | None:
    """The commit that APR runs from; None when it is no checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _with_empty(
    graded: Mapping[str, Graded], predictions: Mapping[str, Prediction]
) -> dict[str, Graded]:
    """The grades, and those predictions that have nothing to grade."""
    from apr.evaluation.report import Graded

    return {name: graded.get(name) or Graded(each) for name, each in predictions.items()}


def _evaluate(
    questions: list[tuple[Instance, Prediction]],
    conditions: Conditions,
    results: Results,
    archive: Archive,
) -> dict[str, Graded]:
    from apr.evaluation.archive import Archive
    from apr.evaluation.judge import Judge
    from apr.evaluation.run import evaluate
    from apr.settings import default_cache_dir

    judge = Judge(
        open_grounds(conditions),
        conditions.timeout,
        archive,
        None if conditions.no_cache else Archive(default_cache_dir() / "judgements"),
        conditions.repeats,
    )
    progress = Progress(len(questions), quiet=results.quiet)
    try:
        return evaluate(questions, judge, results.workers, progress)
    except KeyboardInterrupt:
        raise BenchInterruptedError(progress.done, len(questions)) from None


def open_grounds(conditions: Conditions) -> Grounds:
    """What makes the places where tests run.

    Raises:
        BadInputError: when the clones that it needs are not where they are said to be.
        SandboxUnavailableError: when its sandbox does not work here.
    """
    from apr.datasets.swebench.local import Places
    from apr.settings import default_cache_dir

    clones, cache = conditions.repositories, default_cache_dir()
    if clones is not None and not clones.is_dir():
        raise BadInputError(f"--repositories {clones} is no folder")
    if conditions.environment is Environment.DOCKER:
        from apr.evaluation.images import ImageGrounds

        builder = None if conditions.base_image is None else make_builder(conditions, cache)
        return ImageGrounds(clones and clones.resolve(), cache, conditions.memory, builder)
    from apr.evaluation.ground import LocalGrounds

    if clones is None:
        raise BadInputError("--environment local needs --repositories, a folder with clones")
    places = Places(clones.resolve(), cache, conditions.python)
    return LocalGrounds(places, conditions.sandbox.value, conditions.memory)


def make_builder(conditions: Conditions, cache: Path) -> MakeBuilder:
    """What builds images on an engine.

    Raises:
        BadInputError: when there are no clones to build of.
    """
    from apr.datasets.swebench.local import Places
    from apr.evaluation.building import ImageBuilder
    from apr.settings import AppSettings
    from apr.subject import image_settings
    from validation.sandbox.images.usage import ImageUsage

    base, clones = conditions.base_image, conditions.repositories
    if base is None or clones is None:
        raise BadInputError("--base-image needs --repositories, a folder with clones")
    images = image_settings(AppSettings())
    gib = conditions.disk_gib
    disk = images.disk_mib << 20 if gib is None else int(gib * 2**30)
    places, usage = Places(clones.resolve(), cache), ImageUsage(images.folder)
    return lambda client: ImageBuilder(client, places, base, usage, disk)


class Progress:
    """Tells of each instance on stderr, and how long the rest may take."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._quiet = quiet
        self._started = time.monotonic()
        self.done = 0

    def __call__(self, graded: Graded) -> None:
        self.done += 1
        if self._quiet:
            return
        left_s = (time.monotonic() - self._started) / self.done * (self._total - self.done)
        rest = f", about {duration(left_s)} left" if self.done < self._total else ""
        place = f"[{self.done}/{self._total}{rest}]"
        err_console().print(f"{place} {tell(graded)}", soft_wrap=True)


def tell(graded: Graded) -> str:
    """One line about a prediction."""
    name = one_line(graded.prediction.instance_id)
    outcome = graded.outcome
    if outcome is None:
        return f"{name}: not judged"
    said = "resolved" if graded.is_resolved else "unresolved"
    if graded.report is None:
        said = outcome.state.value
    reason = f": {one_line(outcome.reason)}" if outcome.reason else ""
    flaky = f" ({count(len(outcome.flaky), 'flaky test')})" if outcome.flaky else ""
    return f"{name}: {said}{flaky}{reason}"


def show(
    document: Mapping[str, Any], graded: Mapping[str, Graded], path: Path, form: Format
) -> None:
    """The report on stdout, as a few lines or as the official JSON."""
    if form is Format.JSON:
        emit_json(document)
        return
    submitted = count(document["submitted_instances"], "prediction")
    lines = [
        f"{document['resolved_instances']} of {submitted} resolved,"
        f" {document['unresolved_instances']} unresolved,"
        f" {document['error_instances']} with errors, {document['empty_patch_instances']} empty"
    ]
    lines += [tell(each) for each in graded.values() if each.report is None]
    lines += [tell(each) for each in graded.values() if each.outcome and each.outcome.flaky]
    emit_rich(Text("\n".join((*lines, f"report: {path}"))))


def _explain_broken(broken: list[Graded], total: int) -> str:
    first = broken[0]
    reason = first.outcome.reason if first.outcome else "it has not been judged"
    return (
        f"{len(broken)} of {total} predictions have no verdict, and the same command asks for those"
        f" alone ({first.prediction.instance_id}: {reason})"
    )
