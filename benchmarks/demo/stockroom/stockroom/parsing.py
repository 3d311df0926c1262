"""Reads product lists and orders from plain text files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from stockroom.errors import ParseError
from stockroom.model import Order, OrderLine, Product
from stockroom.pricing import unit_price


def parse_products(text: str) -> dict[str, Product]:
    """Products by SKU from lines `SKU; name; price; category; weight in grams`."""
    products: dict[str, Product] = {}
    for number, line in _content_lines(text):
        fields = [field.strip() for field in line.split(";")]
        if len(fields) != 5:
            raise ParseError(number, f"5 fields expected, {len(fields)} found")
        sku = fields[0].upper()
        if sku in products:
            raise ParseError(number, f"{sku} is listed twice")
        price, weight = _parse_price(fields[2], number), _parse_count(fields[4], number)
        products[sku] = Product(sku, fields[1], price, fields[3] or "general", weight)
    return products


def parse_orders(text: str, products: Mapping[str, Product]) -> list[Order]:
    """Orders from lines `number, customer, YYYY-MM-DD, 3 x SKU, 1 x SKU…`."""
    orders = []
    for number, line in _content_lines(text):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) < 4:
            raise ParseError(number, "an order needs a number, a customer, a day and a line")
        lines = tuple(_parse_order_line(field, products, number) for field in fields[3:])
        orders.append(Order(fields[0], fields[1], _parse_day(fields[2], number), lines))
    return orders


def _content_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#", 1)[0].strip()
        if content:
            yield number, content


def _parse_order_line(field: str, products: Mapping[str, Product], number: int) -> OrderLine:
    count, separator, sku = field.partition(" x ")
    if not separator:
        raise ParseError(number, f"no quantity in {field!r}")
    product = products.get(sku.strip().upper())
    if product is None:
        raise ParseError(number, f"unknown product {sku.strip()}")
    quantity = _parse_count(count, number)
    if quantity == 0:
        raise ParseError(number, "a quantity of zero")
    return OrderLine(product, quantity, unit_price(product, quantity))


def _parse_price(text: str, number: int) -> Decimal:
    try:
        price = Decimal(text.replace("€", "").strip())
    except InvalidOperation:
        raise ParseError(number, f"no price: {text!r}") from None
    if price < 0:
        raise ParseError(number, "a negative price")
    return price


def _parse_count(text: str, number: int) -> int:
    if not text.strip().isdigit():
        raise ParseError(number, f"no count: {text!r}")
    return int(text)


def _parse_day(text: str, number: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParseError(number, f"no day: {text!r}") from None
