"""Unit prices with quantity discounts, coupons, shipping and tax."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from stockroom.model import ZERO, Order, Product

CENT = Decimal("0.01")

# From so many units on, so many percent off; the largest threshold reached wins.
QUANTITY_TIERS = ((10, 5), (50, 8), (100, 12))

FREE_SHIPPING_FROM = Decimal("75.00")


@dataclass(frozen=True)
class Coupon:
    """A percentage off a whole order, valid on both of its end days."""

    code: str
    percent: int
    valid_from: date
    valid_until: date
    minimum_total: Decimal = ZERO

    def is_valid(self, today: date) -> bool:
        return self.valid_from <= today <= self.valid_until


def round_to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def take_percent(amount: Decimal, percent: int) -> Decimal:
    """`amount` without `percent` percent of it, rounded to a cent."""
    return round_to_cent(amount * (100 - percent) / 100)


def discount_percent(quantity: int, tiers: tuple[tuple[int, int], ...] = QUANTITY_TIERS) -> int:
    """The discount that an order of `quantity` units of one product gets."""
    best = 0
    for threshold, percent in tiers:
        if quantity > threshold:
            best = percent
    return best


def unit_price(product: Product, quantity: int) -> Decimal:
    """The price of each unit when `quantity` of them are bought together."""
    if quantity <= 0:
        raise ValueError("a quantity must be positive")
    return take_percent(product.list_price, discount_percent(quantity))


def apply_coupon(total: Decimal, coupon: Coupon | None, today: date) -> Decimal:
    """The total after the coupon; one that is not valid today changes nothing."""
    if coupon is None or not coupon.is_valid(today):
        return total
    if total < coupon.minimum_total:
        return total
    return take_percent(total, coupon.percent)


def shipping_cost(order: Order, express: bool = False) -> Decimal:
    """By weight, in steps of a kilogram; free for large orders unless express."""
    if not order.lines:
        return ZERO
    if order.total >= FREE_SHIPPING_FROM and not express:
        return ZERO
    grams = sum(line.product.weight_grams * line.quantity for line in order.lines)
    kilograms = -(-grams // 1000)
    cost = Decimal("3.90") + Decimal("1.20") * max(kilograms - 1, 0)
    return cost * 2 if express else cost


def add_tax(amount: Decimal, percent: int = 19) -> Decimal:
    return round_to_cent(amount * (100 + percent) / 100)
