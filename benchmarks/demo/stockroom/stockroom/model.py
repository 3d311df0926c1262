"""The nouns: products, batches on a shelf, orders and their lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Product:
    """Something that is sold; `list_price` is for a single unit before any discount."""

    sku: str
    name: str
    list_price: Decimal
    category: str = "general"
    weight_grams: int = 0


@dataclass
class Batch:
    """Units of one product that arrived together; `expires` None means never."""

    sku: str
    quantity: int
    received: date
    expires: date | None = None

    def is_usable(self, today: date) -> bool:
        """A batch may be sold up to and including its last day."""
        return self.expires is None or today <= self.expires


@dataclass(frozen=True)
class OrderLine:
    """So many units of a product, at the price that was really paid for each."""

    product: Product
    quantity: int
    paid_price: Decimal

    @property
    def total(self) -> Decimal:
        return self.paid_price * self.quantity


@dataclass(frozen=True)
class Order:
    """What one customer bought on one day."""

    number: str
    customer: str
    placed: date
    lines: tuple[OrderLine, ...] = field(default=())

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), ZERO)

    @property
    def units(self) -> int:
        return sum(line.quantity for line in self.lines)

    def line_for(self, sku: str) -> OrderLine | None:
        for line in self.lines:
            if line.product.sku == sku:
                return line
        return None
