"""When two outcomes count as the same behaviour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from validation.patchdiff.classify import Kind, classify
from validation.patchdiff.clusters import Group, classes_of, group_versions
from validation.patchdiff.compare import agree, differences, without_order
from validation.patchdiff.model import (
    Aspect,
    Call,
    Confirmation,
    Coverage,
    DiffReport,
    DiffVerdict,
    Discrepancy,
    Outcome,
    Raised,
    Target,
)
from validation.patchdiff.render import Renderer
from validation.patchdiff.values import Opaque

TARGET = Target("m.py", "m", "f", is_changed=True)


def returned(value: object) -> Outcome:
    return Outcome("returned", value)


def raised(kind: str, message: str = "", *, own: bool = True) -> Outcome:
    return Outcome("raised", raised=Raised(kind, message, own))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (True, 1),
        (0.1 + 0.2, 0.3),
        (float("nan"), float("nan")),
        (1e308 * 10, float("inf")),
        ([1, 2.0], [1.0, 2]),
        ({"t": "dict", "v": [["a", 1], ["b", 2]]}, {"t": "dict", "v": [["b", 2], ["a", 1]]}),
    ],
)
def test_equal_values_agree(left, right):
    assert agree(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 2),
        (1, "1"),
        (0.1, 0.1001),
        (10**400, 1.5),
        ([1], {"t": "tuple", "v": [1]}),
        ([1, 2], [1]),
        (None, False),
        ({"t": "dict", "v": [["a", 1]]}, {"t": "dict", "v": [["a", 2]]}),
        ({"t": "made", "s": 1}, {"t": "made"}),
    ],
)
def test_unequal_values_do_not(left, right):
    assert not agree(left, right)


@pytest.mark.parametrize(
    ("left", "right", "aspects"),
    [
        (returned(1), returned(1), ()),
        (returned(1), returned(2), (Aspect.VALUE,)),
        (returned(None), raised("KeyError"), (Aspect.ENDING,)),
        (returned(1), Outcome("timeout"), (Aspect.ENDING,)),
        (Outcome("timeout"), Outcome("timeout", value=3), ()),
        (returned(1), Outcome("unusable"), ()),
        (raised("KeyError"), raised("ValueError"), (Aspect.EXCEPTION,)),
        (raised("KeyError", "a"), raised("KeyError", "b"), (Aspect.MESSAGE,)),
        (raised("TypeError", "a", own=False), raised("TypeError", "b"), ()),
        (Outcome("returned", 1, stdout="a"), returned(1), (Aspect.OUTPUT,)),
        (Outcome("returned", 1, arguments={"0": [1]}), returned(1), (Aspect.ARGUMENTS,)),
        (Outcome("returned", 1, state={"x": 1}), returned(1), (Aspect.STATE,)),
        (Outcome("returned", 1, files={"a": "1"}), returned(1), (Aspect.FILES,)),
        (Outcome("returned", 1, warnings=(("W", "m"),)), returned(1), (Aspect.WARNINGS,)),
        (Outcome("returned", 1, lines=frozenset({("m.py", 3)})), returned(1), ()),
    ],
)
def test_outcomes_differ_in_what_can_be_seen(left, right, aspects):
    assert differences(left, right) == aspects
    assert differences(right, left) == aspects


def discrepancy(*values: int) -> Discrepancy:
    outcomes = tuple(returned(value) for value in values)
    confirmation = Confirmation(1, 1, (True,) * len(values))
    return Discrepancy(TARGET, Call((1,)), (Aspect.VALUE,), outcomes, confirmation)


REPORT = DiffReport(
    versions=("1", "2", "3", "4"),
    verdict=DiffVerdict.DIVERGENT,
    reason="",
    targets=(TARGET,),
    discrepancies=(discrepancy(0, 1, 1, 1), discrepancy(5, 5, 5, 6)),
    invalid=(),
    suite=(),
    coverage=(Coverage(1, 1),) * 4,
    executions=10,
    observed=1,
    skipped=0,
    rejected=0,
    duration_s=1.0,
)


def test_outcomes_fall_into_classes():
    assert classes_of([returned(v) for v in (1, 2, 1, 3, 2)]) == (0, 1, 0, 3, 1)


def test_the_largest_group_leads_and_agreement_breaks_ties():
    # Version 1 agrees with 1 + 3 of 4 + 4, version 4 with 3 + 1, versions 2 and 3 with 3 + 3.
    assert group_versions(REPORT) == (
        Group((1, 2), 0.75),
        Group((0,), 0.5),
        Group((3,), 0.5),
    )


def test_without_a_difference_all_are_one_group():
    alike = replace(REPORT, discrepancies=())
    assert group_versions(alike) == (Group((0, 1, 2, 3), 1.0),)


def test_order_can_be_left_out_of_account():
    left, right = returned([3, [1, 2]]), returned([[2, 1], 3])
    assert differences(left, right)
    assert not differences(without_order(left), without_order(right))
    assert differences(without_order(left), without_order(returned([3, [1, 1]])))


@pytest.mark.parametrize(
    ("base", "reference", "other", "kind"),
    [
        (0, 1, 2, Kind.DIVERGENT),
        (0, 0, 2, Kind.SUPPLEMENTARY),
        (0, 1, 0, Kind.ABSENT),
        (None, 1, 0, Kind.UNKNOWN),
    ],
)
def test_the_unpatched_program_says_what_kind_a_difference_is(base, reference, other, kind):
    found = Discrepancy(
        TARGET,
        Call((1,)),
        (Aspect.VALUE,),
        (returned(reference), returned(other)),
        Confirmation(1, 1, (True, True)),
        None if base is None else returned(base),
    )
    assert classify(found) is kind


def test_private_names_and_mere_wording_are_told_apart():
    def found(module: str, name: str, *aspects: Aspect) -> Discrepancy:
        target = Target("m.py", module, name, is_changed=True)
        return Discrepancy(target, Call(()), aspects, (), Confirmation(1, 1, ()))

    names = [("m", "f"), ("m", "C.__init__"), ("m", "_f"), ("m", "_C.f"), ("_p.m", "f")]
    internal = [found(module, name).is_internal for module, name in names]
    assert internal == [False, False, True, True, True]
    assert found("m", "f", Aspect.MESSAGE).is_wording
    assert not found("m", "f", Aspect.MESSAGE, Aspect.VALUE).is_wording


def test_a_constructor_is_called_with_its_class():
    target = Target("m.py", "m", "C.__new__", is_changed=True)
    call = Call((Opaque('{"t": "global", "m": "m", "q": "C"}'), 1))
    assert Renderer().call(target, call, None) == "m.C.__new__(m.C, 1)"
