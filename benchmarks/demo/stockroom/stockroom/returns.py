"""Customers send things back: what returns to the shelf, and what is paid back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from stockroom.errors import ReturnError
from stockroom.inventory import Inventory
from stockroom.model import ZERO, Batch, Order, OrderLine

RETURN_DAYS = 30


@dataclass(frozen=True)
class ReturnRequest:
    """Units of one product sent back; `damaged` of them cannot be sold again."""

    sku: str
    returned: int
    damaged: int = 0


@dataclass(frozen=True)
class Receipt:
    """What a return came to."""

    sku: str
    restocked: int
    refund: Decimal


def check_request(order: Order, request: ReturnRequest, today: date) -> OrderLine:
    """The line that the request belongs to, when it may be sent back."""
    line = order.line_for(request.sku)
    if line is None:
        raise ReturnError(f"order {order.number} has no {request.sku}")
    if not 0 < request.returned <= line.quantity:
        raise ReturnError(f"{request.returned} of {line.quantity} units cannot be returned")
    if (today - order.placed).days > RETURN_DAYS:
        raise ReturnError(f"order {order.number} is older than {RETURN_DAYS} days")
    return line


def restock_quantity(request: ReturnRequest) -> int:
    """Units that go back to the shelf."""
    return request.returned + request.damaged


def refund_amount(line: OrderLine, request: ReturnRequest) -> Decimal:
    """What the customer really paid for the units; damage in transit is on us."""
    return line.product.list_price * request.returned


def process_return(
    order: Order, request: ReturnRequest, inventory: Inventory, today: date
) -> Receipt:
    """Check the request, put sellable units back, and say what to refund."""
    line = check_request(order, request, today)
    restocked = restock_quantity(request)
    if restocked > 0:
        inventory.receive(Batch(request.sku, restocked, received=today))
    return Receipt(request.sku, restocked, refund_amount(line, request))


def total_refund(receipts: list[Receipt]) -> Decimal:
    return sum((receipt.refund for receipt in receipts), ZERO)
