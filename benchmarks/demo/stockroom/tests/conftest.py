from datetime import date
from decimal import Decimal

import pytest

from stockroom.inventory import Inventory
from stockroom.model import Batch, Order, OrderLine, Product

TODAY = date(2026, 3, 15)


@pytest.fixture
def today():
    return TODAY


@pytest.fixture
def tea():
    return Product("TEA", "Green tea", Decimal("4.00"), "drinks", 250)


@pytest.fixture
def mug():
    return Product("MUG", "Mug", Decimal("12.50"), "kitchen", 400)


@pytest.fixture
def order(tea, mug):
    """Two lines; the tea was bought at a discount."""
    lines = (OrderLine(tea, 12, Decimal("3.80")), OrderLine(mug, 2, Decimal("12.50")))
    return Order("A1", "Ada", date(2026, 3, 1), lines)


@pytest.fixture
def small_order(mug):
    return Order("A2", "Bob", date(2026, 3, 2), (OrderLine(mug, 1, Decimal("12.50")),))


@pytest.fixture
def inventory():
    return Inventory(
        [
            Batch("TEA", 10, date(2026, 1, 1), expires=date(2026, 6, 1)),
            Batch("TEA", 10, date(2026, 2, 1), expires=date(2026, 3, 20)),
            Batch("MUG", 5, date(2026, 1, 5)),
        ]
    )
