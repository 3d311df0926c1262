"""What an issue says, and where it points: hand-made projects with hand-checked rankings."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.localization.issue.cache import find_units
from apr.localization.issue.locate import rank_by_issue
from apr.localization.issue.near import tests_near
from apr.localization.issue.rank import rank_files, rank_units
from apr.localization.issue.text import read_issue
from apr.localization.issue.units import read_units

PRICES = '''\
"""Prices of a shop."""

LIMIT = 9


class Cart:
    def total(self, items):
        def worth(item):
            return item.price

        return sum(worth(item) for item in items)

    def discount(self, rate):
        return rate * LIMIT
'''
SOURCES = {
    "shop/prices.py": PRICES,
    "shop/mails.py": "def send(address):\n    deliver(address)\n\n\ndef total():\n    return 1\n",
    "shop/stock.py": "def count(items):\n    return len(items)\n",
}
TRACEBACK = """\
It breaks

Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/other.py", line 1, in other
  File "/home/me/shop/mails.py", line 5, in send
ValueError: nothing there
"""


def ranked(issue: str) -> list[tuple[str, str]]:
    found = rank_units(read_issue(issue), find_units(SOURCES, None))
    return [(each.path, each.unit.name) for each in found]


def test_units_are_functions_and_the_rest_of_the_file() -> None:
    units = {unit.name: unit for unit in read_units("prices.py", PRICES)}
    assert list(units) == ["Cart.total", "Cart.total.worth", "Cart.discount", ""]
    assert (units["Cart.total"].first, units["Cart.total"].last) == (7, 11)
    assert units["Cart.total"].words["price"] == 1
    assert "price" not in units[""].words
    assert units[""].words["limit"] == 1


def test_title_and_spelled_names_weigh_more_than_prose() -> None:
    issue = read_issue("discount fails\n\nthe rate of `Cart.total` and more prose\n<!-- hidden -->")
    assert issue.weights["discount"] > issue.weights["cart"] > issue.weights["prose"] > 0
    assert issue.names == {"Cart.total": 1}
    assert "hidden" not in issue.weights
    assert "the" not in issue.weights


def test_a_name_with_its_class_beats_one_alone() -> None:
    assert ranked("wrong sum\n\n`Cart.total` is off")[0] == ("shop/prices.py", "Cart.total")
    assert ranked("wrong\n\n`mails.total` is off")[0] == ("shop/mails.py", "total")


def test_frames_of_the_subject_point_at_their_function() -> None:
    assert ranked(TRACEBACK)[0] == ("shop/mails.py", "send")


@pytest.mark.parametrize("named", ["shop/stock.py", "shop.stock.anything", "./shop/stock.py"])
def test_a_named_file_comes_first(named: str) -> None:
    found = rank_units(read_issue(f"see {named}"), find_units(SOURCES, None))
    assert rank_files(found)[0] == "shop/stock.py"


def test_statements_follow_their_functions_and_are_cut_at_the_limit() -> None:
    found = rank_by_issue("the discount has a wrong rate", SOURCES, None, 3)
    assert [(str(each.location), each.function) for each in found[:2]] == [
        ("shop/prices.py:13", "Cart.discount"),
        ("shop/prices.py:14", "Cart.discount"),
    ]
    assert len(found) == 3
    assert 0 < found[1].suspiciousness < found[0].suspiciousness <= 1
    assert {each.formula for each in found} == {"issue"}
    assert rank_by_issue("zzz", SOURCES, None, 3) == ()


def test_what_was_read_once_is_remembered_by_content(tmp_path: Path) -> None:
    cache = tmp_path / "folder" / "units.sqlite"
    fresh = find_units(SOURCES, cache)
    assert find_units(SOURCES, cache) == fresh == find_units(SOURCES, None)
    changed = {**SOURCES, "shop/stock.py": "def other():\n    pass\n"}
    assert find_units(changed, cache)["shop/stock.py"][0].name == "other"
    moved = find_units({"elsewhere/x.py": PRICES}, cache)
    assert moved["elsewhere/x.py"] == fresh["shop/prices.py"]


def test_a_broken_cache_costs_time_and_nothing_else(tmp_path: Path) -> None:
    cache = tmp_path / "units.sqlite"
    cache.write_bytes(b"this is no database" * 100)
    assert find_units(SOURCES, cache) == find_units(SOURCES, None)


def test_tests_near_a_suspect_are_its_own_then_those_the_issue_speaks_of() -> None:
    tests = {
        "tests/test_prices.py": "def test_price():\n    pass\n",
        "other/tests/test_prices.py": "def test_price():\n    pass\n",
        "tests/test_mail.py": "def test_send():\n    address = 'x'\n",
        "tests/helpers.py": "prices = address = 1\n",
    }
    near = tests_near("the address is wrong", ["other/prices.py", "b.py"], tests, None, 3)
    assert near == ("other/tests/test_prices.py", "tests/test_prices.py", "tests/test_mail.py")
