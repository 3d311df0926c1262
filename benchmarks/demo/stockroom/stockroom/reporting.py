"""Figures about many orders, and tables to print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from stockroom.inventory import Inventory
from stockroom.model import ZERO, Order
from stockroom.pricing import round_to_cent


def revenue(orders: Sequence[Order]) -> Decimal:
    return sum((order.total for order in orders), ZERO)


def average_order_value(orders: Sequence[Order]) -> Decimal:
    """The mean total of an order, to the cent; zero without orders."""
    return round_to_cent(revenue(orders) / len(orders))


def largest_order_share(orders: Sequence[Order]) -> Decimal:
    """How much of the revenue the largest order brings, from 0 to 1."""
    if not orders:
        return ZERO
    total = revenue(orders)
    if total == ZERO:
        return ZERO
    return round_to_cent(max(order.total for order in orders) / total)


def revenue_by_category(orders: Sequence[Order]) -> dict[str, Decimal]:
    """Categories by falling revenue, then by name."""
    totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for order in orders:
        for line in order.lines:
            totals[line.product.category] += line.total
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def best_customers(orders: Sequence[Order], count: int = 3) -> list[str]:
    spent: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for order in orders:
        spent[order.customer] += order.total
    return sorted(spent, key=lambda customer: (-spent[customer], customer))[:count]


def low_stock(inventory: Inventory, minimums: Mapping[str, int], today: date) -> list[str]:
    """Products of which fewer units than their minimum are available."""
    return sorted(
        sku for sku, minimum in minimums.items() if inventory.available(sku, today) < minimum
    )


def render_table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, the second one aligned to the right."""
    if not rows:
        return ""
    left = max(len(name) for name, _ in rows)
    right = max(len(value) for _, value in rows)
    return "\n".join(f"{name.ljust(left)}  {value.rjust(right)}" for name, value in rows)


def summarize(orders: Sequence[Order]) -> str:
    rows = [
        ("orders", str(len(orders))),
        ("units", str(sum(order.units for order in orders))),
        ("revenue", str(revenue(orders))),
        ("average order", str(average_order_value(orders))),
    ]
    rows += [(f"- {name}", str(total)) for name, total in revenue_by_category(orders).items()]
    return render_table(rows)
