from datetime import date
from decimal import Decimal

import pytest

from stockroom.errors import OutOfStockError
from stockroom.inventory import Inventory
from stockroom.model import Batch, Order, OrderLine


def test_on_hand_adds_the_batches(inventory, today):
    assert inventory.on_hand("TEA", today) == 20


def test_expired_batches_are_not_on_hand(inventory):
    assert inventory.on_hand("TEA", date(2026, 3, 21)) == 10


def test_unknown_product_is_not_on_hand(inventory, today):
    assert inventory.on_hand("HAT", today) == 0


def test_empty_batch_is_refused(inventory, today):
    with pytest.raises(ValueError):
        inventory.receive(Batch("TEA", 0, today))


def test_reserved_units_are_not_available(inventory, order, today):
    inventory.reserve(order, today)
    assert inventory.available("TEA", today) == 8
    assert inventory.on_hand("TEA", today) == 20


def test_too_large_an_order_reserves_nothing(inventory, mug, today):
    order = Order("A9", "Ada", today, (OrderLine(mug, 6, Decimal("12.50")),))
    with pytest.raises(OutOfStockError, match="6 wanted, 5 available"):
        inventory.reserve(order, today)
    assert inventory.reserved("MUG") == 0


def test_lines_of_one_product_are_reserved_together(inventory, mug, today):
    line = OrderLine(mug, 3, Decimal("12.50"))
    with pytest.raises(OutOfStockError):
        inventory.reserve(Order("A9", "Ada", today, (line, line)), today)


def test_release_gives_units_back(inventory, order, today):
    inventory.reserve(order, today)
    inventory.release(order)
    inventory.release(order)
    assert inventory.available("TEA", today) == 20


def test_shipping_takes_what_expires_first(inventory, order, today):
    inventory.reserve(order, today)
    picked = inventory.ship(order, today)
    assert [(batch.sku, batch.quantity) for batch in picked] == [
        ("TEA", 10),
        ("TEA", 2),
        ("MUG", 2),
    ]
    assert picked[0].expires == date(2026, 3, 20)


def test_shipping_leaves_the_rest(inventory, order, today):
    inventory.reserve(order, today)
    inventory.ship(order, today)
    assert inventory.on_hand("TEA", today) == 8
    assert inventory.reserved("TEA") == 0


def test_shipping_without_reservation_takes_nothing(inventory, order, today):
    assert inventory.ship(order, today) == []


def test_expired_units_are_discarded():
    inventory = Inventory([Batch("TEA", 3, date(2026, 1, 1), expires=date(2026, 1, 31))])
    assert inventory.discard_expired(date(2026, 1, 31)) == 0
    assert inventory.discard_expired(date(2026, 2, 1)) == 3
