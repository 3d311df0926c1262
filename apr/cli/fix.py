"""`apr fix`: from a path to a patch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from apr.cli import options as o
from apr.cli.apply import apply_patch, check_writable
from apr.cli.distribution import DistributionOptions
from apr.cli.execution import choose_format, exit_code, report
from apr.cli.groups import grouped
from apr.cli.images import make_ready
from apr.cli.model_options import ModelOptions
from apr.cli.output import PatchFormat, check_output, err_console
from apr.cli.progress import reporting
from apr.cli.request import localization_settings, make_bug, make_settings, open_service
from apr.cli.subject_options import JudgingOptions, PlaceOptions, SuiteOptions
from apr.cli.text import one_line
from apr.core.run import RepairRun

if TYPE_CHECKING:
    from apr.service import Service


@dataclass(frozen=True, slots=True)
class FixOptions:
    """What is searched for, and how long."""

    location: o.LocationOption = None
    localization: o.LocalizationOption = None
    issue: o.IssueOption = None
    reproduce: o.ReproduceOption = False
    formula: o.FormulaOption = "ochiai"
    policy: o.PolicyOption = o.Policy.MCTS
    candidates: o.CandidatesOption = None
    seconds: o.SecondsOption = None
    patches: o.PatchesOption = 1
    compare_seconds: o.CompareSecondsOption = 30.0
    max_depth: o.MaxDepthOption = None
    seed: o.SeedOption = 0
    name: o.NameOption = None

    def settings(self) -> dict[str, Any]:
        """The part of a run's settings that these options decide."""
        return {
            **localization_settings(self.localization, self.location),
            "formula": self.formula,
            "policy": self.policy.value,
            "patches": self.patches,
            "compare_seconds": self.compare_seconds if self.patches > 1 else 0.0,
            "max_depth": self.max_depth,
        }


@grouped
def fix(
    suite: SuiteOptions,
    judging: JudgingOptions,
    search: FixOptions,
    place: PlaceOptions,
    form: o.PatchFormatOption = None,
    json: o.JsonOption = False,
    output: o.OutputOption = None,
    apply: o.ApplyOption = False,
    quiet: o.QuietOption = False,
    *,
    language_model: ModelOptions,
    distribution: DistributionOptions,
) -> None:
    """Repair the bug that a failing test shows.

    The tests are run to see which ones fail, the fault is localized, and patches are searched
    for until one makes the failing tests pass and breaks no other. The project itself is only
    ever read, unless --apply is given.
    """
    queue = distribution.queue()
    chosen = choose_format(form, json=json, output=output)
    check_output(output)
    image = place.choose_image()
    bug = make_bug(replace(suite.describe(image), issue=search.issue, name=search.name))
    if apply:
        check_writable(Path(bug.subject))
    settings = make_settings(
        cache=not suite.no_cache,
        **suite.settings(),
        **judging.settings(),
        **search.settings(),
        **place.settings(image),
        **language_model.settings(),
    )
    budget = language_model.budget(search.candidates, search.seconds)
    make_ready(image, bug, quiet=quiet)
    if search.reproduce:
        from apr.bootstrap import open_reproducer
        from apr.reproduction.plan import plan_issue_run

        with reporting(quiet=quiet) as listener:
            planned = plan_issue_run(bug, settings, budget, search.seed, listener, open_reproducer)
        bug, settings, budget = planned.bug, planned.settings, planned.budget
    service = open_service()
    submitted = service.submit_run(bug, settings, budget, search.seed)
    run = distribution.execute(service, submitted.id, queue, quiet=quiet)
    _finish(service, run, chosen, output, apply=apply, quiet=quiet)


def _finish(
    service: Service,
    run: RepairRun,
    form: PatchFormat,
    output: Path | None,
    *,
    apply: bool,
    quiet: bool,
) -> None:
    report(service, run, form, output, quiet=quiet)
    if apply and run.patches:
        best = run.patches[0]
        patch = service.outline(run.id).nodes[best.node_id].patch
        written = apply_patch(Path(run.bug.subject), patch, best.diff)
        if not quiet:
            names = ", ".join(one_line(path) for path in written)
            err_console().print(f"applied to {names}", soft_wrap=True)
    raise typer.Exit(int(exit_code(run)))
