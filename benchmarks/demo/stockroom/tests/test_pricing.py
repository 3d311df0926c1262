from datetime import date
from decimal import Decimal

import pytest

from stockroom.model import Order
from stockroom.pricing import (
    Coupon,
    add_tax,
    apply_coupon,
    discount_percent,
    round_to_cent,
    shipping_cost,
    take_percent,
    unit_price,
)

SPRING = Coupon("SPRING", 20, date(2026, 3, 1), date(2026, 3, 31), Decimal("20.00"))


def test_single_unit_costs_the_list_price(tea):
    assert unit_price(tea, 1) == Decimal("4.00")


def test_few_units_get_no_discount():
    assert discount_percent(9) == 0


def test_quantity_within_a_tier_gets_its_discount():
    assert discount_percent(30) == 5
    assert discount_percent(75) == 8
    assert discount_percent(500) == 12


def test_exactly_ten_units_reach_the_first_tier():
    assert discount_percent(10) == 5


def test_exactly_a_hundred_units_reach_the_last_tier():
    assert discount_percent(100) == 12


def test_unit_price_at_the_tier_boundary(tea):
    assert unit_price(tea, 10) == Decimal("3.80")


def test_just_below_a_tier_boundary():
    assert discount_percent(49) == 5
    assert discount_percent(99) == 8


@pytest.mark.parametrize("quantity", [0, -3])
def test_quantity_must_be_positive(tea, quantity):
    with pytest.raises(ValueError):
        unit_price(tea, quantity)


def test_rounding_is_half_up():
    assert round_to_cent(Decimal("1.005")) == Decimal("1.01")


def test_percent_is_taken_off():
    assert take_percent(Decimal("9.99"), 10) == Decimal("8.99")


def test_valid_coupon_reduces_the_total(today):
    assert apply_coupon(Decimal("50.00"), SPRING, today) == Decimal("40.00")


def test_coupon_is_valid_on_both_end_days():
    assert SPRING.is_valid(date(2026, 3, 1))
    assert SPRING.is_valid(date(2026, 3, 31))


def test_expired_coupon_changes_nothing():
    assert apply_coupon(Decimal("50.00"), SPRING, date(2026, 4, 1)) == Decimal("50.00")


def test_coupon_needs_its_minimum_total(today):
    assert apply_coupon(Decimal("19.99"), SPRING, today) == Decimal("19.99")
    assert apply_coupon(Decimal("20.00"), SPRING, today) == Decimal("16.00")


def test_no_coupon_changes_nothing(today):
    assert apply_coupon(Decimal("50.00"), None, today) == Decimal("50.00")


def test_shipping_is_charged_by_started_kilogram(order, small_order):
    assert shipping_cost(small_order) == Decimal("3.90")
    assert shipping_cost(order) == Decimal("7.50")


def test_express_shipping_costs_twice(order):
    assert shipping_cost(order, express=True) == Decimal("15.00")


def test_nothing_to_ship_costs_nothing(today):
    assert shipping_cost(Order("A0", "Eve", today)) == Decimal("0.00")


def test_tax_is_added():
    assert add_tax(Decimal("10.00")) == Decimal("11.90")
    assert add_tax(Decimal("10.00"), percent=7) == Decimal("10.70")
