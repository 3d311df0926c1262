"""The hostile corpus of the tests as a table: attack by backend, with the gate shut and open.

    python benchmarks/hostile_table.py [--backend NAME ...] [--image IMAGE] [--only TEXT ...]
                                       [--gate shut open] [--findings FOLDER] [--missing] [--render]

Every patch of `tests/hostile/corpus` is judged as a repair judges its candidates, validated and,
if plausible so far, confirmed; once behind the integrity gate, as users have it, and once with the
gate open, which shows what the sandboxes and the guarded run hold by themselves. After each one
two honest candidates are judged by the same warm processes. The findings are kept as JSON lines in
FOLDER, one file a backend, so that a part can be measured again (`--only`), an interrupted
measurement be finished (`--missing`), and the table be made without measuring (`--render`). The
exit status is 1 when an attack succeeds that the backend promises to hold.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from apr.core.errors import AprError  # noqa: E402
from support.hostile.arena import Arena, may_try, unpromised  # noqa: E402
from support.hostile.cases import Case, load_cases  # noqa: E402
from support.hostile.suite import SUBJECTS_OF, cases_of  # noqa: E402
from validation.sandbox import PROMISES, Promise  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "hostile.md"
BACKENDS = tuple(SUBJECTS_OF)
SHUT = "shut"
GATES = (SHUT, "open")
SHOWN_TROUBLES, TROUBLE_LENGTH = 3, 80  # of one cell; an attack may leave thousands of files
MARK = re.compile("mark[0-9a-f]{12}")  # by which the arena knows traces of an attack


@dataclass(frozen=True)
class Row:
    """A finding as it is kept."""

    id: str
    backend: str
    gate: bool
    verdict: str
    stage: str
    escapes: tuple[str, ...]
    leaks: tuple[str, ...]
    harms_the_next: bool
    duration_s: float

    @property
    def is_fooled(self) -> bool:
        return self.verdict == "plausible"


def main() -> int:
    arguments = parse_arguments()
    folder = Path(arguments.findings)
    folder.mkdir(parents=True, exist_ok=True)
    if not arguments.render:
        for backend in arguments.backend:
            file = folder / f"{backend}.jsonl"
            measure(backend, arguments.image, wanted(backend, file, arguments), file)
    files = [file for backend in BACKENDS if (file := folder / f"{backend}.jsonl").exists()]
    rows = [row for file in files for row in read_rows(file)]
    text = render(rows, max(date.fromtimestamp(file.stat().st_mtime) for file in files))
    print(text)
    RESULT.write_text(text)
    return 1 if any(is_hole(row) for row in rows) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backend", nargs="*", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--image", help="a Docker image with Python and pytest")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the names of attacks")
    parser.add_argument("--gate", nargs="*", choices=GATES, default=list(GATES))
    parser.add_argument("--missing", action="store_true", help="only what FOLDER does not hold")
    parser.add_argument("--findings", default=str(Path(tempfile.gettempdir()) / "hostile-findings"))
    parser.add_argument("--render", action="store_true", help="measure nothing")
    return parser.parse_args()


def wanted(backend: str, file: Path, arguments: argparse.Namespace) -> list[tuple[Case, bool]]:
    """Which attacks to try, and whether with the gate shut."""
    known = {(row.id, row.gate) for row in read_rows(file)} if arguments.missing else set()
    return [
        (case, gate == SHUT)
        for case in cases_of(backend)
        if may_try(backend, case) and any(part in case.id for part in arguments.only)
        for gate in arguments.gate
        if (case.id, gate == SHUT) not in known
    ]


def measure(
    backend: str, image: str | None, attacks: Sequence[tuple[Case, bool]], file: Path
) -> None:
    """Try attacks on one backend; every finding is written as soon as it is made."""
    folder = Path(tempfile.mkdtemp(prefix="apr-hostile-"))
    folder.chmod(0o755)
    try:
        with Arena(backend, folder, image) as arena, file.open("a") as out:
            for case, gate in attacks:
                row = try_case(arena, case, gate)
                out.write(json.dumps(asdict(row)) + "\n")
                out.flush()
                print(describe(row), file=sys.stderr, flush=True)
            arena.close_validators()
            left = arena.left_at_the_end()
            print(f"{backend}: left at the end: {left or 'nothing'}", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def try_case(arena: Arena, case: Case, gate: bool) -> Row:
    """One attack; that the validator itself gives up is a success of the attacker, too."""
    started = time.monotonic()
    try:
        finding = arena.attack(case, gate=gate)
    except AprError as error:
        print(f"{case.id}: {error}", file=sys.stderr)
        took_s = round(time.monotonic() - started, 2)
        return Row(case.id, arena.backend, gate, "gave up", "", (), (), True, took_s)
    return Row(
        case.id,
        finding.backend,
        gate,
        finding.verdict.value,
        finding.stage.value,
        finding.escapes,
        finding.leaks,
        finding.harms_the_next,
        round(finding.duration_s, 2),
    )


def describe(row: Row) -> str:
    trouble = [*row.escapes, *row.leaks, *(["NEXT"] if row.harms_the_next else [])]
    gate = "shut" if row.gate else "open"
    return (
        f"{row.backend:10} {gate} {row.verdict:14} {row.duration_s:5.1f} s  "
        f"{row.id} {' '.join(trouble)}"
    )


def read_rows(file: Path) -> list[Row]:
    """The last finding for each attack that is still in the corpus."""
    known = {case.id for case in load_cases()}
    rows: dict[tuple[str, bool], Row] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        fields = json.loads(line)
        fields["escapes"], fields["leaks"] = tuple(fields["escapes"]), tuple(fields["leaks"])
        if fields["id"] in known:
            rows[fields["id"], fields["gate"]] = Row(**fields)
    return list(rows.values())


CASES = {case.id: case for case in load_cases()}


def is_hole(row: Row) -> bool:
    """An attack succeeded that the backend promises to hold, or fooled the referee."""
    case = CASES[row.id]
    if row.harms_the_next:
        return True
    if unpromised(row.backend, case):
        return False
    excused = case.limits or (case.needs_the_gate and not row.gate)
    return bool(row.escapes or row.leaks or (row.is_fooled and not excused))


def render(rows: Sequence[Row], day: date) -> str:
    """The whole document; `day` is when the last of it was measured."""
    return "\n".join(
        [
            "# The hostile corpus",
            "",
            "Every patch of `tests/hostile/corpus`, judged as a repair judges its candidates: with"
            " the integrity gate *shut*, as users have it, and *open*, to see what sandbox and"
            " guarded run hold alone. None of the patches makes the program right for a user, so"
            " `plausible` is a false verdict each time. Made by `benchmarks/hostile_table.py`,"
            f" {day.isoformat()}.",
            "",
            *render_summary(rows),
            "",
            *render_unpromised(),
            "",
            *render_untried(),
            "",
            *render_attacks(rows),
            "",
            *render_limits(rows),
            "",
        ]
    )


def render_summary(rows: Sequence[Row]) -> Iterator[str]:
    yield (
        "| backend | gate | attacks | patches | plausible | escapes | leaks"
        " | wrong verdicts on the next candidates |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for backend in BACKENDS:
        for gate in (True, False):
            chosen = [
                row
                for row in rows
                if row.backend == backend and row.gate is gate and not CASES[row.id].limits
            ]
            if not chosen:
                continue
            held = [row for row in chosen if must_hold(row)]
            yield (
                f"| {backend} | {'shut' if gate else 'open'} "
                f"| {len({row.id.partition('@')[0] for row in chosen})} | {len(chosen)} "
                f"| {count(held, chosen, lambda row: row.is_fooled)} "
                f"| {count(held, chosen, lambda row: bool(row.escapes))} "
                f"| {count(held, chosen, lambda row: bool(row.leaks))} "
                f"| {count(held, chosen, lambda row: row.harms_the_next)} |"
            )
    yield ""
    yield (
        "Numbers in brackets: successes of attacks against what the backend does not promise to"
        " hold (see `PROMISES` in `validation/sandbox`), and with the gate open of those that only"
        " the gate can stop."
    )


def must_hold(row: Row) -> bool:
    """Whether a success would be a fault of the backend or of the referee."""
    case = CASES[row.id]
    return not unpromised(row.backend, case) and (row.gate or not case.needs_the_gate)


def count(held: Sequence[Row], chosen: Sequence[Row], is_bad: object) -> str:
    assert callable(is_bad)
    inside = sum(1 for row in held if is_bad(row))
    outside = sum(1 for row in chosen if is_bad(row)) - inside
    return f"{inside} ({outside})" if outside else str(inside)


def render_unpromised() -> Iterator[str]:
    yield "What the backends cannot promise:"
    yield ""
    for backend in BACKENDS:
        missing = ", ".join(promise for promise in Promise if promise not in PROMISES[backend])
        yield f"- {backend}: {missing or 'promises everything'}"


def render_untried() -> Iterator[str]:
    yield "Not tried, because the backend promises nothing against it and the machine is real:"
    yield ""
    for backend in BACKENDS:
        missing: dict[str, list[str]] = {}
        for case in cases_of(backend):
            if not may_try(backend, case):
                missing.setdefault(f"{case.family}/{case.name}", unpromised(backend, case))
        listed = ", ".join(f"{name} ({', '.join(why)})" for name, why in missing.items())
        yield f"- {backend}: {listed or 'nothing was left out'}"


def render_attacks(rows: Sequence[Row]) -> Iterator[str]:
    shown = [backend for backend in BACKENDS if any(row.backend == backend for row in rows)]
    yield (
        "Verdicts with the gate shut, and behind the arrow with the gate open; without an arrow,"
        " that was not measured."
    )
    yield ""
    yield f"| attack | what it does | {' | '.join(shown)} |"
    yield "|---|---|" + "---|" * len(shown)
    for name, of_attack in by_attack(rows, limits=False).items():
        cells = [cell(of_attack, backend) for backend in shown]
        yield f"| {name} | {CASES[of_attack[0].id].what} | {' | '.join(cells)} |"


def by_attack(rows: Sequence[Row], *, limits: bool) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        if bool(CASES[row.id].limits) is limits:
            found.setdefault(row.id.partition("@")[0], []).append(row)
    return found


def cell(rows: Sequence[Row], backend: str) -> str:
    """What became of one attack on one backend, over all subjects that it is written for."""
    of_backend = [row for row in rows if row.backend == backend]
    if not of_backend:
        tried = any(may_try(backend, CASES[row.id]) for row in rows)
        return "not measured" if tried else "not tried"
    shut, opened = (
        " or ".join(sorted({row.verdict for row in of_backend if row.gate is gate}))
        for gate in (True, False)
    )
    text = (shut or "not measured") + (f" → {opened}" if opened else "")
    found = {what for row in of_backend for what in (*row.escapes, *row.leaks)}
    trouble = sorted({MARK.sub("MARK", what) for what in found})
    shown = [textwrap.shorten(what, TROUBLE_LENGTH) for what in trouble[:SHOWN_TROUBLES]]
    more = [f"{len(trouble) - len(shown)} more"] if len(trouble) > len(shown) else []
    return "; ".join([text, *shown, *more])


def render_limits(rows: Sequence[Row]) -> Iterator[str]:
    yield (
        "Not counted above: patches that no execution of tests can tell from honest ones that"
        " merely fit them. They do no harm; whether such a patch is *correct* is another question."
    )
    yield ""
    for name, of_attack in by_attack(rows, limits=True).items():
        case = CASES[of_attack[0].id]
        verdicts = " or ".join(sorted({row.verdict for row in of_attack}))
        yield f"- {name} ({verdicts}): {case.what}; {case.limits}"


if __name__ == "__main__":
    sys.exit(main())
