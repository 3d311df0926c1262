"""What lies on the shelves: receiving, reserving and shipping, oldest batch first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from stockroom.errors import OutOfStockError
from stockroom.model import Batch, Order


class Inventory:
    """Batches by product, and the units that are promised to orders."""

    def __init__(self, batches: Iterable[Batch] = ()) -> None:
        self._batches: dict[str, list[Batch]] = defaultdict(list)
        self._reserved: dict[str, dict[str, int]] = {}
        for batch in batches:
            self.receive(batch)

    def receive(self, batch: Batch) -> None:
        if batch.quantity <= 0:
            raise ValueError("a batch must hold at least one unit")
        self._batches[batch.sku].append(batch)
        self._batches[batch.sku].sort(key=_shipping_order)

    def on_hand(self, sku: str, today: date) -> int:
        """Units that may still be sold, reserved ones included."""
        return sum(batch.quantity for batch in self._batches[sku] if batch.is_usable(today))

    def reserved(self, sku: str) -> int:
        return sum(lines.get(sku, 0) for lines in self._reserved.values())

    def available(self, sku: str, today: date) -> int:
        return self.on_hand(sku, today) - self.reserved(sku)

    def reserve(self, order: Order, today: date) -> None:
        """Promise every line of the order, or nothing at all."""
        wanted: dict[str, int] = defaultdict(int)
        for line in order.lines:
            wanted[line.product.sku] += line.quantity
        for sku, quantity in wanted.items():
            available = self.available(sku, today)
            if quantity > available:
                raise OutOfStockError(sku, quantity, available)
        self._reserved[order.number] = dict(wanted)

    def release(self, order: Order) -> None:
        """Give back what was promised to an order; harmless when nothing was."""
        self._reserved.pop(order.number, None)

    def ship(self, order: Order, today: date) -> list[Batch]:
        """Take the reserved units off the shelves; the batches say where from."""
        picked = []
        for sku, quantity in self._reserved.pop(order.number, {}).items():
            picked.extend(self._pick(sku, quantity, today))
        return picked

    def _pick(self, sku: str, quantity: int, today: date) -> list[Batch]:
        picked = []
        for batch in self._batches[sku]:
            if quantity == 0:
                break
            if not batch.is_usable(today):
                continue
            taken = min(quantity, batch.quantity)
            batch.quantity -= taken
            quantity -= taken
            picked.append(Batch(sku, taken, batch.received, batch.expires))
        self._batches[sku] = [batch for batch in self._batches[sku] if batch.quantity]
        return picked

    def discard_expired(self, today: date) -> int:
        """Throw away what may no longer be sold; the number of units."""
        discarded = 0
        for sku, batches in self._batches.items():
            discarded += sum(batch.quantity for batch in batches if not batch.is_usable(today))
            self._batches[sku] = [batch for batch in batches if batch.is_usable(today)]
        return discarded


def _shipping_order(batch: Batch) -> tuple[date, date]:
    """First what expires first, then what came first."""
    return (batch.expires or date.max, batch.received)
