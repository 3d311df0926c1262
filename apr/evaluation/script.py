"""What an instance's official evaluation script does, taken apart.

The script of a row activates an environment, reinstalls the project, puts the test files into
place with git, and runs the test command between two markers. Here an environment is ready and
git works outside the sandbox, so that only the rest of the script is ever run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from apr.core.errors import BadInputError

START, END = ">>>>> Start Test Output", ">>>>> End Test Output"
HEREDOC = re.compile(r"^git apply (?P<options>.*)- <<'(?P<end>\w+)'$")
CHECKOUT = re.compile(r"^git checkout (?P<arguments>.+)$")
REMOVAL = re.compile(r"^rm -f (?P<paths>.+)$")
ACTIVATION = re.compile(r"^(source /opt/miniconda3/bin/activate|conda activate \S+)$")
INSTALL = re.compile(r"^(python -m )?pip install\b")
LOOKING = re.compile(
    r"^(#.*|set -\S+ \S+|cd /testbed|git (config|status|show|-c core\.fileMode=false diff)\b.*)?$"
)
LOCALES = re.compile(r"^sed -i .*/etc/locale\.gen && locale-gen$")


@dataclass(frozen=True, slots=True)
class GitStep:
    """A git command that puts test files into place, and what it reads."""

    arguments: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationScript:
    """What is left to do once the patch is applied.

    `steps` come first. `setup` are lines of shell such as exports and builds, which come before
    the `command` whose output is graded. Its own environment's `activation`, and installing the
    project again, are left out of it.
    """

    steps: tuple[GitStep, ...]
    setup: tuple[str, ...]
    command: str
    activation: tuple[str, ...] = field(default=())


def parse_script(text: str, instance_id: str) -> EvaluationScript:
    """The parts of a script.

    Raises:
        BadInputError: when it does not mark what is to be graded.
    """
    before, start, rest = text.partition(f": '{START}'\n")
    command, end, _ = rest.partition(f": '{END}'")
    if not start or not end or not command.strip():
        raise BadInputError(
            f"the row of {instance_id} has no eval_script with marked test output: use a dataset"
            " in the form that the swebench package 5 reads"
        )
    steps: list[GitStep] = []
    setup: list[str] = []
    activation: list[str] = []
    lines = iter(before.split("\n"))
    for line in lines:
        if match := HEREDOC.match(line):
            text = "\n".join(iter(lambda: next(lines, match["end"]), match["end"]))
            steps.append(GitStep(("apply", *shlex.split(match["options"]), "-"), text + "\n"))
        elif match := CHECKOUT.match(line):
            steps.append(GitStep(("checkout", *shlex.split(match["arguments"]))))
        elif match := REMOVAL.match(line):
            # What the patch may have put in the place of new test files, staged or not.
            paths = shlex.split(match["paths"])
            steps.append(GitStep(("rm", "-f", "-q", "--ignore-unmatch", "--", *paths)))
            steps.append(GitStep(("clean", "-f", "-x", "-q", "--", *paths)))
        elif ACTIVATION.match(line):
            activation.append(line)
        elif not (INSTALL.match(line) or LOOKING.match(line) or LOCALES.match(line)):
            setup.append(line)
    unique = tuple(dict.fromkeys(activation))
    return EvaluationScript(tuple(steps), tuple(setup), command.strip("\n"), unique)
