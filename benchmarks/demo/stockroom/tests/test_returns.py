from datetime import date
from decimal import Decimal

import pytest

from stockroom.errors import ReturnError
from stockroom.returns import (
    Receipt,
    ReturnRequest,
    check_request,
    process_return,
    refund_amount,
    restock_quantity,
    total_refund,
)


def test_returned_product_must_be_in_the_order(order, today):
    with pytest.raises(ReturnError, match="has no HAT"):
        check_request(order, ReturnRequest("HAT", 1), today)


@pytest.mark.parametrize("returned", [0, 13])
def test_no_more_than_was_bought_can_be_returned(order, today, returned):
    with pytest.raises(ReturnError, match="cannot be returned"):
        check_request(order, ReturnRequest("TEA", returned), today)


def test_return_is_possible_for_thirty_days(order):
    request = ReturnRequest("MUG", 1)
    assert check_request(order, request, date(2026, 3, 31)) == order.lines[1]
    with pytest.raises(ReturnError, match="older than 30 days"):
        check_request(order, request, date(2026, 4, 1))


def test_undamaged_units_are_all_restocked():
    assert restock_quantity(ReturnRequest("MUG", 2)) == 2


def test_damaged_units_are_not_restocked():
    assert restock_quantity(ReturnRequest("TEA", 5, damaged=2)) == 3


def test_damaged_units_do_not_reach_the_shelf(order, inventory, today):
    process_return(order, ReturnRequest("MUG", 2, damaged=1), inventory, today)
    assert inventory.on_hand("MUG", today) == 6


def test_refund_of_a_full_price_line(order):
    assert refund_amount(order.lines[1], ReturnRequest("MUG", 2)) == Decimal("25.00")


def test_refund_is_what_was_paid_after_discount(order):
    assert refund_amount(order.lines[0], ReturnRequest("TEA", 5)) == Decimal("19.00")


def test_receipt_of_a_discounted_line_with_damage(order, inventory, today):
    receipt = process_return(order, ReturnRequest("TEA", 10, damaged=4), inventory, today)
    assert receipt == Receipt("TEA", 6, Decimal("38.00"))
    assert inventory.on_hand("TEA", today) == 26


def test_refunds_are_added():
    receipts = [Receipt("TEA", 1, Decimal("3.80")), Receipt("MUG", 0, Decimal("12.50"))]
    assert total_refund(receipts) == Decimal("16.30")
