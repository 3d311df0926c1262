"""`apr fix`: from a path to a patch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from apr.cli import options as o
from apr.cli.apply import apply_patch, check_writable
from apr.cli.distribution import DistributionOptions
from apr.cli.execution import choose_format, exit_code, report
from apr.cli.groups import grouped
from apr.cli.images import choose_image, make_ready
from apr.cli.model_options import ModelOptions
from apr.cli.output import PatchFormat, check_output, err_console
from apr.cli.request import SubjectRequest, make_bug, make_settings, open_service
from apr.cli.text import one_line
from apr.core.run import RepairRun

if TYPE_CHECKING:
    from apr.service import Service


@grouped
def fix(
    path: o.PathArgument,
    test: o.TestOption = None,
    test_id: o.TestIdOption = None,
    python: o.PythonOption = None,
    junit: o.JunitOption = None,
    test_timeout: o.TestTimeoutOption = 30.0,
    repeats: o.RepeatsOption = 2,
    confirmations: o.ConfirmationsOption = 2,
    no_cache: o.NoCacheOption = False,
    allow_path: o.AllowPathOption = None,
    allow_reach: o.AllowReachOption = None,
    location: o.LocationOption = None,
    source: o.SourceOption = None,
    issue: o.IssueOption = None,
    formula: o.FormulaOption = "ochiai",
    policy: o.PolicyOption = o.Policy.MCTS,
    candidates: o.CandidatesOption = None,
    seconds: o.SecondsOption = None,
    patches: o.PatchesOption = 1,
    compare_seconds: o.CompareSecondsOption = 30.0,
    max_depth: o.MaxDepthOption = None,
    seed: o.SeedOption = 0,
    sandbox: o.SandboxOption = o.Sandbox.AUTO,
    image: o.ImageOption = None,
    dockerfile: o.DockerfileOption = None,
    base_image: o.BaseImageOption = None,
    memory: o.MemoryOption = 2048,
    jobs: o.JobsOption = None,
    form: o.PatchFormatOption = None,
    json: o.JsonOption = False,
    output: o.OutputOption = None,
    apply: o.ApplyOption = False,
    quiet: o.QuietOption = False,
    name: o.NameOption = None,
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
    request = choose_image(image, dockerfile, base_image, sandbox)
    described = SubjectRequest(
        path, test, _tuple(test_id), _tuple(source), python, _tuple(junit), issue, name, request
    )
    bug = make_bug(described)
    if apply:
        check_writable(Path(bug.subject))
    settings = make_settings(
        formula=formula,
        locations=_tuple(location),
        sandbox=sandbox.value,
        image=request,
        memory_mib=memory,
        jobs=jobs,
        repeats=repeats,
        confirmations=confirmations,
        cache=not no_cache,
        reuse_baseline=not no_cache,
        allow_paths=_tuple(allow_path),
        allow_reaches=_tuple(allow_reach),
        test_timeout_s=test_timeout,
        policy=policy.value,
        max_depth=max_depth,
        patches=patches,
        compare_seconds=compare_seconds if patches > 1 else 0.0,
        **language_model.settings(),
    )
    budget = language_model.budget(candidates, seconds)
    make_ready(request, bug, quiet=quiet)
    service = open_service()
    submitted = service.submit_run(bug, settings, budget, seed)
    run = distribution.execute(service, submitted.id, queue, quiet=quiet)
    _finish(service, run, chosen, output, apply=apply, quiet=quiet)


def _tuple(values: list[str] | None) -> tuple[str, ...]:
    return tuple(values or ())


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
        patch = service.tree(run.id).nodes[best.node_id].patch
        written = apply_patch(Path(run.bug.subject), patch, best.diff)
        if not quiet:
            names = ", ".join(one_line(path) for path in written)
            err_console().print(f"applied to {names}", soft_wrap=True)
    raise typer.Exit(int(exit_code(run)))
