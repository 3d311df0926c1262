"""Differentiating tests: small pytest files that pass on one version and fail on another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from apr.core.bug import RunnerKind
from apr.core.errors import AprError
from apr.core.report import TestOutcome
from validation.patchdiff.clusters import classes_of
from validation.patchdiff.compare import SILENT, differences
from validation.patchdiff.model import Aspect, Discrepancy, Outcome, Witness
from validation.patchdiff.render import (
    CannotRenderError,
    Renderer,
    class_of,
    is_plain_object,
    show_call,
    show_outcome,
)
from validation.patchdiff.sessions import Place, Version
from validation.patchdiff.targets import Span
from validation.runners.base import RunLimits
from validation.runners.python import PythonRunner

MADE = '''

def made(make, arguments, state=None, items=(), pairs=()):
    """An object as it was seen: how it is made, and what is in it."""
    value = make(*arguments)
    if hasattr(type(value), "__setstate__"):
        if state is not None:
            value.__setstate__(state)
    elif state is not None:
        state, slots = state if isinstance(state, tuple) else (state, None)
        vars(value).update(state or {})
        for name, item in (slots or {}).items():
            object.__setattr__(value, name, item)
    for item in items:
        value.append(item)
    for key, item in pairs:
        value[key] = item
    return value
'''
CONTENT = '''

def content(value):
    """Plain data that says what is in a value, objects by their class and attributes."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(content, value))
    if isinstance(value, dict):
        return {key: content(item) for key, item in value.items()}
    is_bare = getattr(type(value), "__slots__", None) == ()
    if (is_bare or hasattr(value, "__dict__")) and not isinstance(value, type):
        return type(value).__qualname__, content(getattr(value, "__dict__", {}))
    return value
'''


def write_witnesses(
    discrepancy: Discrepancy, versions: Sequence[str], spans: Mapping[str, Span], number: int
) -> tuple[Witness, ...]:
    """A test for each behaviour that a test can demand, that of the first version first."""
    found: list[Witness] = []
    for index in dict.fromkeys(classes_of(discrepancy.outcomes)):
        name = f"test_difference_{number}{f'_{_word(versions[index])}' if found else ''}.py"
        witness = _write_witness(discrepancy, versions, spans, index, name)
        if witness is not None:
            found.append(witness)
    return tuple(found)


def _write_witness(
    discrepancy: Discrepancy,
    versions: Sequence[str],
    spans: Mapping[str, Span],
    index: int,
    name: str,
) -> Witness | None:
    """The test of what the version at `index` does; None when none can be written."""
    outcome = discrepancy.outcomes[index]
    if outcome.ended not in SILENT:
        others = [_within(discrepancy, outcome, each) for each in discrepancy.outcomes]
        aspects = [aspect for aspect in discrepancy.aspects if any(aspect in o for o in others)]
        for aspect in aspects:
            failing = tuple(v for v, o in zip(versions, others, strict=True) if o[:1] == (aspect,))
            passing = tuple(v for v, o in zip(versions, others, strict=True) if not o)
            try:
                text = _Writer(discrepancy, spans).write(versions, index, aspect)
            except (CannotRenderError, KeyError, TypeError, ValueError, AttributeError):
                continue
            if failing:
                return Witness(name, text, passing, failing)
    return None


def _within(discrepancy: Discrepancy, left: Outcome, right: Outcome) -> tuple[Aspect, ...]:
    """In which of the discrepancy's aspects two outcomes differ: others are left to chance."""
    return tuple(each for each in differences(left, right) if each in discrepancy.aspects)


class _Writer:
    def __init__(self, discrepancy: Discrepancy, spans: Mapping[str, Span]) -> None:
        self._found = discrepancy
        target = discrepancy.target
        self._span = spans.get(f"{target.path}:{target.name}")
        self._renderer = Renderer()
        self._needs: set[str] = set()

    def write(self, versions: Sequence[str], index: int, aspect: Aspect) -> str:
        outcome = self._found.outcomes[index]
        body = self._body(outcome, aspect)
        name = re.sub(r"\W+", "_", self._found.target.name).strip("_").lower()
        imports = sorted({"pytest", *self._needs, *self._renderer.modules})
        said = "\n".join(
            f"    {version}: {show_outcome(each, self._found.aspects)}"
            for version, each in zip(versions, self._found.outcomes, strict=True)
        )
        base = self._found.base
        if base is not None:
            said += f"\n    without a patch: {show_outcome(base, self._found.aspects)}"
        docstring = _quoted(f"{show_call(self._found.target, self._found.call)}\n\n{said}\n")
        helpers = MADE if self._renderer.needs_made else ""
        helpers += CONTENT if "content(" in body else ""
        used = [each for each in imports if each != "pytest" or "pytest." in body]
        listed = "".join(f"import {module}\n" for module in used)
        names = sorted(self._renderer.names.items(), key=lambda item: (item[1], item[0]))
        listed += "".join(f"from {module} import {name}\n" for name, module in names)
        fixture = "capsys" if "capsys." in body else ""
        head = f"def test_{name}_as_{_word(versions[index])}({fixture}):"
        return f"{docstring}\n\n{listed}{helpers}\n\n{head}\n{body}"

    def _body(self, outcome: Outcome, aspect: Aspect) -> str:
        if outcome.ended == "raised":
            return self._expect_error(outcome, aspect)
        call = self._renderer.call(self._found.target, self._found.call, self._span)
        if aspect in (Aspect.VALUE, Aspect.ENDING):
            return self._expect_value(call, outcome.value)
        if aspect is Aspect.ARGUMENTS:
            return self._expect_arguments(outcome)
        if aspect is Aspect.OUTPUT:
            return _block(call, *_output_checks(outcome))
        if aspect is Aspect.WARNINGS:
            self._needs.add("warnings")
            expected = [message for _, message in outcome.warnings]
            return _block(
                "with warnings.catch_warnings(record=True) as caught:",
                '    warnings.simplefilter("always")',
                f"    {call}",
                f"assert [str(each.message) for each in caught] == {expected!r}",
            )
        if aspect is Aspect.STATE:
            return self._expect_state(call, outcome)
        raise CannotRenderError(aspect.value)

    def _expect_error(self, outcome: Outcome, aspect: Aspect) -> str:
        raised = outcome.raised
        assert raised is not None
        module, _, name = raised.type.rpartition(".")
        kind = self._renderer.name(*_split_class(raised.type)) if module else name
        call = self._renderer.call(self._found.target, self._found.call, self._span)
        lines = [f"with pytest.raises({kind}) as caught:", f"    {call}"]
        if aspect is Aspect.MESSAGE:
            lines.append(f"assert str(caught.value) == {raised.message!r}")
        else:
            lines[0] = f"with pytest.raises({kind}):"
            if aspect is Aspect.OUTPUT:
                lines += _output_checks(outcome)
            if aspect is Aspect.EXCEPTION:  # a subclass would do for pytest.raises
                lines[0] = f"with pytest.raises({kind}) as caught:"
                lines.append(f"assert type(caught.value) is {kind}")
        return _block(*lines)

    def _expect_value(self, call: str, value: Any) -> str:
        if value is None:
            return _block(f"assert {call} is None")
        if isinstance(value, dict) and value.get("t") == "iterator":
            return _block(f"assert list({call}) == {self._renderer.expression(value['v'])}")
        return _block(f"assert {self._check(call, value)}")

    def _check(self, left: str, value: Any) -> str:
        """An expression that is true when `left` evaluates to the value."""
        if _holds_objects(value):
            return f"content({left}) == {self._content(value)}"
        expected = self._renderer.expression(value)
        if _is_flat_with_floats(value):
            return f"{left} == pytest.approx({expected}, rel=1e-9, nan_ok=True)"
        return f"{left} == {expected}"

    def _content(self, value: Any) -> str:
        """What `content` makes of the value."""
        if is_plain_object(value):
            pairs = (value.get("s") or {"v": []})["v"]
            inside = ", ".join(f"{key!r}: {self._content(item)}" for key, item in pairs)
            return f"({class_of(value)!r}, {{{inside}}})"
        if isinstance(value, list):
            return f"[{', '.join(map(self._content, value))}]"
        if isinstance(value, dict) and value.get("t") == "tuple":
            return f"({''.join(f'{self._content(item)}, ' for item in value['v'])})"
        if isinstance(value, dict) and value.get("t") == "dict":
            pairs = [f"{self._renderer.expression(k)}: {self._content(v)}" for k, v in value["v"]]
            return f"{{{', '.join(pairs)}}}"
        return self._renderer.expression(value)

    def _expect_arguments(self, outcome: Outcome) -> str:
        """Name the arguments, call, and look at those that the call changes."""
        document = self._found.call.document(self._found.target)
        if document["k"]["v"]:
            raise CannotRenderError("changed keyword arguments")
        names = [f"argument_{index}" for index in range(len(document["a"]))]
        lines = [
            f"{name} = {self._renderer.expression(value)}"
            for name, value in zip(names, document["a"], strict=True)
        ]
        target = self._found.target
        owner, _, last = target.name.rpartition(".")
        if owner and self._span is not None and not self._span.decorators:
            lines.append(f"{names[0]}.{last}({', '.join(names[1:])})")
        else:
            lines.append(f"{self._renderer.name(target.module, target.name)}({', '.join(names)})")
        changed = {
            int(key): value
            for each in self._found.outcomes
            for key, value in each.arguments.items()
        }
        before = document["a"]
        for index in sorted(changed):
            value = outcome.arguments.get(str(index), before[index])
            lines.append(f"assert {self._check(names[index], value)}")
        return _block(*lines)

    def _expect_state(self, call: str, outcome: Outcome) -> str:
        module = self._found.target.module
        self._renderer.modules.add(module)
        checks = [
            f"assert {self._check(f'{module}.{name}', value)}"
            for name, value in outcome.state.items()
        ]
        if not checks:
            raise CannotRenderError("unchanged state")
        return _block(call, *checks)


def _split_class(name: str) -> tuple[str, str]:
    """Module and qualified name: classes begin with a capital, by convention, or are nested."""
    module, _, last = name.rpartition(".")
    outer = module.rpartition(".")[2]
    if outer[:1].isupper():
        module, _, middle = module.rpartition(".")
        return module, f"{middle}.{last}"
    return module, last


def _holds_objects(value: Any) -> bool:
    if is_plain_object(value):
        return True
    if isinstance(value, list):
        return any(map(_holds_objects, value))
    if isinstance(value, dict) and value.get("t") in ("tuple", "dict"):
        return _holds_objects(value["v"])
    return False


def _is_flat_with_floats(value: Any) -> bool:
    inside = value["v"] if isinstance(value, dict) and value.get("t") == "tuple" else value
    items = inside if isinstance(inside, list) else [inside]
    are_numbers = all(type(item) in (int, float) for item in items)
    return are_numbers and any(type(item) is float for item in items)


def _output_checks(outcome: Outcome) -> list[str]:
    return [
        "seen = capsys.readouterr()",
        f"assert seen.out == {outcome.stdout!r}",
        f"assert seen.err == {outcome.stderr!r}",
    ]


def _block(*lines: str) -> str:
    return "".join(f"    {line}\n" for line in lines)


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_").lower() or "expected"


def _quoted(text: str) -> str:
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{safe}"""'


def prove(
    witnesses: Sequence[Witness], versions: Sequence[Version], place: Place, limits: RunLimits
) -> list[Witness]:
    """Run all tests on every version, each version in a fresh sandbox.

    A test is proven when it passes where it should pass, and fails where it should fail.
    """
    if not witnesses:
        return []
    passed = [_passed(witnesses, version, place, limits) for version in versions]
    return [
        replace(
            witness,
            is_proven=all(
                seen.get(witness.name) is (version.name in witness.passes)
                for version, seen in zip(versions, passed, strict=True)
                if version.name in (*witness.passes, *witness.fails)
            ),
        )
        for witness in witnesses
    ]


def _passed(
    witnesses: Sequence[Witness], version: Version, place: Place, limits: RunLimits
) -> dict[str, bool]:
    """By file whether its test passed on the version; nothing where it could not be run."""
    names = tuple(witness.name for witness in witnesses)
    command = replace(place.command, kind=RunnerKind.PYTEST, argv=names)
    files = [(version.root / witness.name, witness.text) for witness in witnesses]
    if any(file.exists() for file, _ in files):
        return {}
    try:
        for file, text in files:
            file.write_text(text, encoding="utf-8", errors="surrogatepass")
        execution, _ = PythonRunner(command, place.sandbox).run(version.root, limits)
    except AprError:
        return {}
    finally:
        for file, _ in files:
            file.unlink(missing_ok=True)
    return {
        result.test.partition("::")[0]: result.outcome is TestOutcome.PASSED
        for result in execution.results
    }
