"""`python -m stockroom.cli PRODUCTS ORDERS`: a summary of the orders in a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stockroom.errors import StockroomError
from stockroom.parsing import parse_orders, parse_products
from stockroom.reporting import best_customers, summarize


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="stockroom", description="Summarize orders.")
    parser.add_argument("products", type=Path)
    parser.add_argument("orders", type=Path)
    parser.add_argument("--customers", type=int, default=0, help="list so many best customers")
    options = parser.parse_args(argv)
    try:
        products = parse_products(options.products.read_text(encoding="utf-8"))
        orders = parse_orders(options.orders.read_text(encoding="utf-8"), products)
    except (OSError, StockroomError) as error:
        print(f"stockroom: {error}", file=sys.stderr)
        return 1
    print(summarize(orders))
    for customer in best_customers(orders, options.customers):
        print(customer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
