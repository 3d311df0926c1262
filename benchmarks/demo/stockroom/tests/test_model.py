from datetime import date, timedelta
from decimal import Decimal

from stockroom.model import Batch, Order


def test_line_total_is_price_times_quantity(order):
    assert order.lines[0].total == Decimal("45.60")


def test_order_total_adds_the_lines(order):
    assert order.total == Decimal("70.60")


def test_empty_order_has_no_total(today):
    assert Order("A0", "Eve", today).total == Decimal("0.00")


def test_order_counts_its_units(order):
    assert order.units == 14


def test_line_is_found_by_sku(order, mug):
    assert order.line_for("MUG").product == mug
    assert order.line_for("HAT") is None


def test_batch_is_usable_on_its_last_day(today):
    batch = Batch("TEA", 1, date(2026, 1, 1), expires=today)
    assert batch.is_usable(today)
    assert not batch.is_usable(today + timedelta(days=1))


def test_batch_without_expiry_is_always_usable():
    assert Batch("MUG", 1, date(2020, 1, 1)).is_usable(date(2099, 1, 1))
