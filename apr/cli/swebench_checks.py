"""Checks instances of SWE-bench with what `apr evaluate` judges predictions with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from apr.bench.check import UNUSABLE, BugCheck
from apr.cli.bench_check import RecordOptions, check_missing, finish, working_folder
from apr.cli.evaluate import open_grounds
from apr.cli.evaluate_options import Conditions, Environment
from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets.swebench.instances import Instance, load_dataset
from apr.datasets.swebench.recipes import find_recipe
from apr.evaluation.archive import Archive
from apr.evaluation.check import check_instance
from apr.evaluation.grading import official
from apr.evaluation.judge import Judge
from apr.settings import default_cache_dir

BENCHMARK = "swebench"


def check_instances(
    dataset: str, split: str, conditions: Conditions, options: RecordOptions
) -> None:
    """Check the instances of a dataset that have no record yet, and print all records."""
    instances = load_dataset(dataset, split)
    if unknown := sorted(set(options.names or ()) - set(instances)):
        raise BadInputError(f"{dataset} lacks {', '.join(unknown)}")
    names = list(options.names or instances)
    protocol = {
        **asdict(conditions),
        "repositories": str(conditions.repositories),
        "swebench": official().version,
    }
    for name in ("no_cache", "disk_gib"):
        del protocol[name]  # says nothing about what is found
    with working_folder(options) as work:
        judge = open_judge(conditions, work.parent if options.output else work)
        file = options.open_file(BENCHMARK, protocol, names)

        def check(name: str) -> BugCheck:
            reason = reason_against(instances[name], conditions)
            if reason is not None:
                return BugCheck(name, UNUSABLE, reason)
            return check_instance(judge, instances[name])

        check_missing(names, check, file, options)
    finish(BENCHMARK, [file.done[name] for name in names], options.form)


def open_judge(conditions: Conditions, folder: Path) -> Judge:
    """The judge whose logs and reports go below the folder."""
    return Judge(
        open_grounds(conditions),
        conditions.timeout,
        Archive(folder / "logs"),
        None if conditions.no_cache else Archive(default_cache_dir() / "judgements"),
        conditions.repeats,
    )


def reason_against(instance: Instance, conditions: Conditions) -> str | None:
    """Why no environment can be built for an instance here; None: one can, or there is one."""
    if conditions.environment is not Environment.LOCAL or conditions.python is not None:
        return None
    try:
        find_recipe(instance.repository, instance.version)
    except EnvironmentUnusableError as error:
        return str(error)
    return None
