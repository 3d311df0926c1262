"""The options that several commands share, each with its meaning for `--help`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apr.cli.output import Format, PatchFormat

TESTS, SEARCH, SANDBOX, RESULT = "Tests", "Search", "Sandbox", "Result"


class Sandbox(StrEnum):
    """Which sandbox runs the subject."""

    AUTO = "auto"
    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"
    PROCESS = "process"


class Policy(StrEnum):
    """How candidates are chosen."""

    MCTS = "mcts"
    ENUMERATE = "enumerate"
    BREADTH_FIRST = "breadth-first"
    TRIAL_AND_ERROR = "trial-and-error"


class Localization(StrEnum):
    """What the suspects are ranked by."""

    SPECTRUM = "spectrum"
    ISSUE = "issue"
    COMBINED = "combined"
    GIVEN = "given"
    PERFECT = "perfect"


PathArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PATH", readable=False, help="The buggy project: a folder or git checkout."
    ),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, the beginning of one, or [bold]last[/].")
]
TestOption = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="CMD",
        rich_help_panel=TESTS,
        help="Test command, such as 'pytest tests' or 'mvn test'. Default: guessed.",
    ),
]
TestIdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--test-id",
        metavar="ID",
        rich_help_panel=TESTS,
        help="Repair only what this test shows; repeatable. Default: every failing test.",
    ),
]
LocationOption = Annotated[
    list[str] | None,
    typer.Option(
        "--location",
        metavar="WHERE",
        rich_help_panel=SEARCH,
        help="Where the bug is: FILE:LINE, FILE:FIRST-LAST, FILE::FUNCTION or FILE; repeatable."
        " Default: measured.",
    ),
]
LocalizationOption = Annotated[
    Localization | None,
    typer.Option(
        "--localization",
        rich_help_panel=SEARCH,
        help="How the fault is looked for: by the coverage of failing and passing tests, in the"
        " text of --issue, by both, or where --location says. perfect, the lines of the right"
        " patch, is for benchmarks alone. Default: spectrum, or given with --location.",
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="GLOB",
        rich_help_panel=SEARCH,
        help="Files that a patch may touch; repeatable. Default: all source but the tests.",
    ),
]
PythonOption = Annotated[
    str | None,
    typer.Option(
        "--python",
        metavar="EXE",
        rich_help_panel=TESTS,
        help="Interpreter with the project's dependencies. Default: its .venv, or the active one.",
    ),
]
JunitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--junit",
        metavar="GLOB",
        rich_help_panel=TESTS,
        help="JUnit XML files that the test command writes; repeatable.",
    ),
]
TestTimeoutOption = Annotated[
    float,
    typer.Option(
        "--test-timeout",
        metavar="S",
        min=0.01,
        rich_help_panel=TESTS,
        help="Seconds that one test may take before the repair.",
    ),
]
RepeatsOption = Annotated[
    int,
    typer.Option(
        "--repeats",
        metavar="N",
        min=2,
        rich_help_panel=TESTS,
        help="How often the tests are run first, to find the flaky ones.",
    ),
]
FormulaOption = Annotated[
    str,
    typer.Option(
        "--formula",
        metavar="NAME",
        rich_help_panel=SEARCH,
        help="Suspiciousness formula: ochiai, tarantula, dstar, barinel, op2, jaccard…",
    ),
]
ConfirmationsOption = Annotated[
    int,
    typer.Option(
        "--confirmations",
        metavar="N",
        min=1,
        rich_help_panel=TESTS,
        help="How often all tests must pass in fresh sandboxes before a patch counts.",
    ),
]
NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        rich_help_panel=TESTS,
        help="Measure the tests and judge every candidate anew, whatever earlier runs know.",
    ),
]
AllowPathOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-path",
        metavar="GLOB",
        rich_help_panel=SEARCH,
        help="Protected files, such as tests, that a patch may touch nevertheless; repeatable.",
    ),
]
AllowReachOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-reach",
        metavar="KIND",
        rich_help_panel=SEARCH,
        help="What a patch may newly use, such as network or reflection; repeatable.",
    ),
]
SandboxOption = Annotated[
    Sandbox,
    typer.Option(
        "--sandbox",
        rich_help_panel=SANDBOX,
        help="Where tests run; auto: the strongest that works here.",
    ),
]
ImageOption = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="IMAGE",
        rich_help_panel=SANDBOX,
        help="Docker image that has the project's dependencies. [bold]auto[/]: built from its"
        " dependency files; [bold]dockerfile[/]: from its Dockerfile; [bold]swebench:ID[/]: the"
        " one published for that instance.",
    ),
]
DockerfileOption = Annotated[
    Path | None,
    typer.Option(
        "--dockerfile",
        metavar="FILE",
        readable=False,
        rich_help_panel=SANDBOX,
        help="Build the image from this Dockerfile, with the project as its context.",
    ),
]
BaseImageOption = Annotated[
    str | None,
    typer.Option(
        "--base-image",
        metavar="IMAGE",
        rich_help_panel=SANDBOX,
        help="What --image auto builds on. Default: the official image of the language.",
    ),
]
MemoryOption = Annotated[
    int,
    typer.Option(
        "--memory", metavar="MIB", min=64, rich_help_panel=SANDBOX, help="Memory of a sandbox."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        rich_help_panel=SANDBOX,
        help="Candidates tested side by side. Default: one per processor.",
    ),
]
CandidatesOption = Annotated[
    int | None,
    typer.Option(
        "--candidates",
        metavar="N",
        min=1,
        rich_help_panel=SEARCH,
        help="Give up after so many candidate patches. Default: 2000, or 32 from a model.",
    ),
]
SeedOption = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        rich_help_panel=SEARCH,
        help="The same seed gives the same search.",
    ),
]
PolicyOption = Annotated[
    Policy,
    typer.Option(
        "--policy", rich_help_panel=SEARCH, help="Tree search, or a search without rewards."
    ),
]
FormatOption = Annotated[
    Format, typer.Option("--format", rich_help_panel=RESULT, help="What stdout carries.")
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=RESULT, help="Nothing on stderr but errors."),
]
IssueOption = Annotated[
    Path | None,
    typer.Option(
        "--issue",
        metavar="FILE",
        rich_help_panel=SEARCH,
        help="Text that describes the bug, for --localization and for generators that can read.",
    ),
]
ReproduceOption = Annotated[
    bool,
    typer.Option(
        "--reproduce",
        rich_help_panel=SEARCH,
        help="No test fails: make one of the example in --issue, or have the model write one, and"
        " keep it if it fails as the issue says.",
    ),
]
SecondsOption = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        metavar="S",
        min=0.1,
        rich_help_panel=SEARCH,
        help="Give up after so many seconds of search. Default: no limit.",
    ),
]
PatchesOption = Annotated[
    int,
    typer.Option(
        "--patches",
        metavar="N",
        min=1,
        rich_help_panel=SEARCH,
        help="Stop after so many plausible patches.",
    ),
]
CompareSecondsOption = Annotated[
    float,
    typer.Option(
        "--compare-seconds",
        metavar="S",
        min=0,
        rich_help_panel=SEARCH,
        help="With --patches 2 or more: so long see how they behave differently; 0: not at all.",
    ),
]
MaxDepthOption = Annotated[
    int | None,
    typer.Option(
        "--max-depth",
        metavar="N",
        min=1,
        rich_help_panel=SEARCH,
        help="The most edits on top of each other. Default: 3, or no limit for a model.",
    ),
]
PatchFormatOption = Annotated[
    PatchFormat | None,
    typer.Option(
        "--format",
        rich_help_panel=RESULT,
        help="What stdout carries. Default: text on a terminal, else a diff for git apply.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", rich_help_panel=RESULT, help="The same as --format json.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        rich_help_panel=RESULT,
        help="Write the result to a file instead of stdout.",
    ),
]
ApplyOption = Annotated[
    bool,
    typer.Option("--apply", rich_help_panel=RESULT, help="Write the best patch into the project."),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        rich_help_panel=RESULT,
        help="What to call the bug. Default: the folder's name.",
    ),
]
