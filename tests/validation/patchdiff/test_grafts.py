"""Described objects recombined, as trees of symbols are."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from validation.patchdiff.grafts import find_donors, graft, tie
from validation.patchdiff.model import Call
from validation.patchdiff.values import Opaque, is_description


def node(name: str, *parts: Any) -> dict[str, Any]:
    return {"t": "made", "f": {"t": "global", "m": "m", "q": name}, "a": list(parts)}


def opaque(described: Any) -> Opaque:
    return Opaque(json.dumps(described))


def test_every_part_takes_the_place_of_every_other() -> None:
    tree = opaque(node("Add", node("X"), node("Y")))
    donors = list(find_donors([Call(([tree], 3))]))
    assert sorted(each["f"]["q"] for each in donors) == ["Add", "X", "Y"]
    rng = Random(0)
    made = {graft(tree, donors, rng) for _ in range(200)}
    assert None not in made
    assert all(each is not None and is_description(each.described) for each in made)
    assert opaque(node("Add", node("Y"), node("Y"))) in made
    assert opaque(node("Add", node("Add", node("X"), node("Y")), node("Y"))) in made
    assert opaque(node("X")) in made


def test_what_is_referred_to_stays_where_it_is() -> None:
    shared = {"t": "shared", "n": 0, "v": node("X")}
    linked = node("Add", shared, {"t": "ref", "n": 0})
    donors = list(find_donors([Call((opaque(linked),))]))
    assert [each["f"]["q"] for each in donors] == ["X"]
    assert graft(opaque(linked), [], Random(0)) is None
    for seed in range(40):
        made = graft(opaque(linked), donors, Random(seed))
        assert made is None or is_description(made.described)
        assert made is None or "ref" in made.text


def test_what_belongs_to_another_package_is_put_nowhere() -> None:
    foreign = {"t": "made", "f": {"t": "global", "m": "other.n", "q": "Z"}, "a": []}
    new = {"t": "global", "m": "copyreg", "q": "__newobj__"}
    made = {"t": "made", "f": new, "a": [{"t": "global", "m": "m", "q": "X"}]}
    rng = Random(0)
    assert all(graft(opaque(node("Add")), [foreign], rng) is None for _ in range(20))
    assert graft(opaque(node("Add")), [foreign, made], rng) == opaque(made)


def test_a_part_becomes_an_item_of_its_own_list_under_one_number() -> None:
    state = {"t": "dict", "v": [["name", "x"], ["following", []]]}
    leaf = {**node("Node"), "s": state}
    lists = {"t": "dict", "v": [["following", [leaf]]]}
    tied = [tie(opaque({**node("Node"), "s": lists}), Random(seed)) for seed in range(20)]
    loops = {each.described["t"] for each in tied if each is not None}
    assert None not in tied
    assert loops == {"made", "shared"}  # the leaf holds itself, or something the whole
    assert all(each is not None and is_description(each.described) for each in tied)
    assert all(each is not None and each.text.count('"shared"') == 1 for each in tied)
    assert tie(opaque(node("Add", node("X"))), Random(0)) is None
