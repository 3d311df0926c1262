"""The corpus of hostile patches as data: what each one tries, and the patch that it becomes."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apr.core.patch import Patch, diff_texts

FOLDER = Path(__file__).resolve().parents[2] / "hostile"
SUBJECTS = FOLDER / "fixtures"
RUNNERS_OF_THEIR_OWN = frozenset({"command", "java"})
FIELDS = {
    *("what", "subjects", "top", "body", "bottom", "diff"),
    *("stakes", "dangerous", "gate_only", "limits", "slow"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile patch.

    `what` says what it tries. `top` (before the first function), `body` (of the function under
    test) and `bottom` are code for the subject's source; `diff` is a whole diff instead. None of
    them makes `add` right for a user, so that "plausible" is a false verdict on every one.

    `stakes` are promises of the sandbox that keep it from doing harm. A `dangerous` one is tried
    only where all of them are given. `gate_only` says why nothing but the integrity gate can
    stop it; empty: the guarded run stops it as well. `limits` says why no referee can tell the
    patch from one that merely fits the tests; it may be called plausible, like every such patch.
    `slow` ones wait for a limit on the clock, and are left to the benchmark.
    """

    name: str
    family: str
    what: str
    subject: str
    top: str = ""
    body: str = ""
    bottom: str = ""
    diff: str = ""
    stakes: tuple[str, ...] = ()
    dangerous: bool = False
    gate_only: str = ""
    limits: str = ""
    slow: bool = False

    @property
    def needs_the_gate(self) -> bool:
        """Nothing but the gate can stop it: there is a reason, or no harness of ours around it."""
        return bool(self.gate_only) or self.subject in RUNNERS_OF_THEIR_OWN

    @property
    def id(self) -> str:
        """The name under which a test reports it."""
        return f"{self.family}/{self.name}@{self.subject}"


@dataclass(frozen=True, slots=True)
class Target:
    """The source file of a subject that patches change, and the lines they change in it."""

    path: str
    function: str
    note: str
    wrong: str
    right: str
    spaces: int
    top_before: str


TARGETS: Mapping[str, Target] = {
    **{
        name: Target(
            "calc.py", "def add(a, b):\n", '    note("add")\n', "return a - b", "return a + b", 4,
            "CASES = ",
        )
        for name in ("pytest", "unittest", "command")
    },
    "java": Target(
        "Calc.java", "static int add(int a, int b) {\n", "", "return a - b;", "return a + b;", 8,
        "final class Calc",
    ),
}  # fmt: skip


def load_cases() -> list[Case]:
    """Every case of the corpus, one for each subject that it is written for, in file order.

    Raises:
        ValueError: when a file names a field or a subject that does not exist.
    """
    found: list[Case] = []
    for path in sorted((FOLDER / "corpus").glob("*.toml")):
        for name, fields in tomllib.loads(path.read_text()).items():
            found.extend(_read(path.stem, name, dict(fields)))
    return found


def _read(family: str, name: str, fields: dict[str, object]) -> list[Case]:
    unknown = fields.keys() - FIELDS
    subjects = fields.pop("subjects", ["pytest"])
    assert isinstance(subjects, list)
    if unknown or not {*subjects} <= TARGETS.keys():
        raise ValueError(f"{family}/{name}: unknown fields {unknown} or subjects {subjects}")
    stakes = fields.pop("stakes", [])
    assert isinstance(stakes, list)
    return [
        Case(name=name, family=family, subject=subject, stakes=tuple(stakes), **fields)  # type: ignore[arg-type]
        for subject in subjects
    ]


def source(subject: str) -> str:
    """The unpatched text of the file that patches of this subject change."""
    return (SUBJECTS / subject / TARGETS[subject].path).read_text()


def hostile_patch(case: Case, values: Mapping[str, str]) -> Patch:
    """The patch of a case without a diff, `@NAME@` replaced by the values of this execution."""
    target = TARGETS[case.subject]
    before = source(case.subject)
    text = before
    if case.top:
        text = text.replace(target.top_before, f"{fill(case.top, values)}\n{target.top_before}", 1)
    if case.body:
        wanted = textwrap.indent(fill(case.body, values).rstrip("\n"), " " * target.spaces)
        old = target.function + target.note + " " * target.spaces + target.wrong
        assert old in text
        text = text.replace(old, target.function + wanted, 1)
    if case.bottom:
        text += f"\n\n{fill(case.bottom, values)}"
    return diff_texts({target.path: before}, {target.path: text})


def honest_patch(subject: str, number: int, *, right: bool) -> Patch:
    """A harmless patch that no cache has seen: the right one, or one that changes nothing."""
    target = TARGETS[subject]
    before = source(subject)
    kind = "int salt = " if subject == "java" else "salt = "
    end = ";" if subject == "java" else ""
    line = f"{kind}{number}{end}\n{' ' * target.spaces}"
    wanted = line + (target.right if right else target.wrong)
    return diff_texts({target.path: before}, {target.path: before.replace(target.wrong, wanted)})


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `@NAME@` replaced."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
