"""What a probe sends is read with suspicion."""

from __future__ import annotations

import pytest

from validation.patchdiff.model import Call, Outcome, Raised, Target
from validation.patchdiff.render import show_call, show_outcome
from validation.patchdiff.sessions import parse_outcome

MALFORMED = {"t": "opaque", "v": "?", "r": "malformed"}


@pytest.mark.parametrize("document", [None, 3, "value", [], {}, {"unusable": "no such function"}])
def test_what_is_no_outcome_is_unusable(document):
    assert parse_outcome(document).ended == "unusable"


def test_an_outcome_is_read_in_full():
    document = {
        "raised": {"type": "m.E", "message": "no", "own": True},
        "arguments": {"0": [1]},
        "stdout": "said",
        "warnings": [["W", "careful"]],
        "state": {"SEEN": 3},
        "files": {"a.txt": "digest"},
        "lines": {"m.py": [3, 4]},
        "invalid": "n is declared int, not str",
    }
    assert parse_outcome(document) == Outcome(
        "raised",
        raised=Raised("m.E", "no", is_own=True),
        invalid="n is declared int, not str",
        arguments={"0": [1]},
        stdout="said",
        warnings=(("W", "careful"),),
        state={"SEEN": 3},
        files={"a.txt": "digest"},
        lines=frozenset({("m.py", 3), ("m.py", 4)}),
    )


def test_malformed_parts_are_replaced_or_left_out():
    document = {
        "value": {"t": "tuple", "v": 3},
        "arguments": {"0": {"t": "dict", "v": [1]}, "1": 2},
        "state": [1],
        "warnings": [["W"], 3],
        "lines": {"m.py": ["x", 4], "n.py": 3},
    }
    outcome = parse_outcome(document)
    assert outcome.value == MALFORMED
    assert outcome.arguments == {"0": MALFORMED, "1": 2}
    assert (outcome.state, outcome.warnings) == ({}, ())
    assert outcome.lines == {("m.py", 4)}
    assert show_outcome(outcome) == "returns <malformed>"


def test_calls_and_outcomes_are_shown_as_one_would_write_them():
    target = Target("m.py", "m", "C.f", is_changed=True)
    call = Call((1, "a", [(2,)], {"k": {3}}, frozenset(), None), (("key", b"x"),))
    assert show_call(target, call) == (
        "C.f(1, 'a', [(2,)], {'k': {3}}, frozenset(), None, key=b'x')"
    )
    new = {"t": "global", "m": "copyreg", "q": "__newobj__"}
    kind = {"t": "global", "m": "m", "q": "Account"}
    state = {"t": "dict", "v": [["balance", 3]]}
    made = {"t": "made", "f": new, "a": [kind], "s": state}
    assert show_outcome(Outcome("returned", made)) == "returns Account(balance=3)"
    assert len(show_outcome(Outcome("returned", ["x" * 500]))) < 150
