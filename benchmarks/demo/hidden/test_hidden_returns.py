from datetime import date
from decimal import Decimal

from stockroom.inventory import Inventory
from stockroom.model import Order, OrderLine, Product
from stockroom.returns import Receipt, ReturnRequest, process_return


def test_nothing_is_restocked_when_every_unit_is_damaged():
    day = date(2026, 3, 3)
    hat = Product("HAT", "Hat", Decimal("20.00"))
    order = Order("A3", "Cy", day, (OrderLine(hat, 2, Decimal("18.00")),))
    inventory = Inventory()
    receipt = process_return(order, ReturnRequest("HAT", 2, damaged=2), inventory, day)
    assert receipt == Receipt("HAT", 0, Decimal("36.00"))
    assert inventory.on_hand("HAT", day) == 0
