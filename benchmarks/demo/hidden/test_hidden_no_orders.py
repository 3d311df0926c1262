from datetime import date
from decimal import Decimal

from stockroom.model import Order, OrderLine, Product
from stockroom.reporting import average_order_value


def test_average_of_a_single_order_is_its_total():
    hat = Product("HAT", "Hat", Decimal("20.00"))
    order = Order("A3", "Cy", date(2026, 3, 3), (OrderLine(hat, 2, Decimal("19.50")),))
    assert average_order_value([order]) == Decimal("39.00")
