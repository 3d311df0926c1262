from datetime import date
from decimal import Decimal

import pytest

from stockroom.errors import ParseError
from stockroom.parsing import parse_orders, parse_products

PRODUCTS = """\
# the spring catalogue
tea; Green tea; 4.00; drinks; 250
MUG; Mug; 12.50 €; ; 400   # no category
"""


@pytest.fixture
def products():
    return parse_products(PRODUCTS)


def test_products_are_read_by_sku(products):
    assert list(products) == ["TEA", "MUG"]
    assert products["MUG"].list_price == Decimal("12.50")


def test_missing_category_is_general(products):
    assert products["MUG"].category == "general"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("TEA; Green tea; 4.00", "5 fields expected, 3 found"),
        ("TEA; Green tea; cheap; drinks; 250", "no price"),
        ("TEA; Green tea; -1; drinks; 250", "a negative price"),
        ("TEA; Green tea; 4.00; drinks; light", "no count"),
    ],
)
def test_bad_product_line_is_named(line, reason):
    with pytest.raises(ParseError, match=f"line 2: {reason}"):
        parse_products(f"# catalogue\n{line}\n")


def test_product_listed_twice_is_refused():
    with pytest.raises(ParseError, match="TEA is listed twice"):
        parse_products(PRODUCTS + "TEA; Black tea; 3.00; drinks; 250\n")


def test_orders_are_read_with_their_lines(products):
    (order,) = parse_orders("A1, Ada, 2026-03-01, 3 x tea, 1 x MUG\n", products)
    assert (order.number, order.customer, order.placed) == ("A1", "Ada", date(2026, 3, 1))
    assert [line.quantity for line in order.lines] == [3, 1]


def test_order_lines_get_the_quantity_price(products):
    (order,) = parse_orders("A1, Ada, 2026-03-01, 20 x TEA\n", products)
    assert order.lines[0].paid_price == Decimal("3.80")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A1, Ada, 2026-03-01", "an order needs"),
        ("A1, Ada, yesterday, 1 x TEA", "no day"),
        ("A1, Ada, 2026-03-01, TEA", "no quantity"),
        ("A1, Ada, 2026-03-01, 1 x HAT", "unknown product HAT"),
        ("A1, Ada, 2026-03-01, 0 x TEA", "a quantity of zero"),
    ],
)
def test_bad_order_line_is_named(products, line, reason):
    with pytest.raises(ParseError, match=reason):
        parse_orders(line, products)
