from datetime import date
from decimal import Decimal

from stockroom.model import Order
from stockroom.reporting import (
    average_order_value,
    best_customers,
    largest_order_share,
    low_stock,
    render_table,
    revenue,
    revenue_by_category,
    summarize,
)


def test_revenue_adds_the_orders(order, small_order):
    assert revenue([order, small_order]) == Decimal("83.10")


def test_average_of_two_orders(order, small_order):
    assert average_order_value([order, small_order]) == Decimal("41.55")


def test_average_without_orders_is_zero():
    assert average_order_value([]) == Decimal("0.00")


def test_share_of_the_largest_order(order, small_order):
    assert largest_order_share([order, small_order]) == Decimal("0.85")
    assert largest_order_share([]) == Decimal("0.00")


def test_share_without_revenue_is_zero(today):
    assert largest_order_share([Order("A0", "Eve", today)]) == Decimal("0.00")


def test_categories_are_ordered_by_revenue(order, small_order):
    assert revenue_by_category([order, small_order]) == {
        "drinks": Decimal("45.60"),
        "kitchen": Decimal("37.50"),
    }


def test_best_customers_come_first(order, small_order):
    assert best_customers([small_order, order]) == ["Ada", "Bob"]
    assert best_customers([small_order, order], count=1) == ["Ada"]


def test_low_stock_names_products_below_their_minimum(inventory):
    minimums = {"TEA": 20, "MUG": 6, "HAT": 1}
    assert low_stock(inventory, minimums, date(2026, 3, 15)) == ["HAT", "MUG"]


def test_table_aligns_numbers_to_the_right():
    assert render_table([("units", "7"), ("revenue", "12.50")]) == (
        "units        7\nrevenue  12.50"
    )


def test_empty_table_is_empty():
    assert render_table([]) == ""


def test_summary_of_two_orders(order, small_order):
    lines = summarize([order, small_order]).splitlines()
    assert lines[0].split() == ["orders", "2"]
    assert lines[3].split() == ["average", "order", "41.55"]


def test_summary_without_orders_shows_zeros():
    assert summarize([]).splitlines()[-1].split() == ["average", "order", "0.00"]
