"""What can go wrong, by name."""


class StockroomError(Exception):
    """Base of every error that a caller may want to show to a user."""


class ParseError(StockroomError):
    """A line of an input file cannot be read."""

    def __init__(self, line_number: int, reason: str) -> None:
        super().__init__(f"line {line_number}: {reason}")
        self.line_number = line_number
        self.reason = reason


class OutOfStockError(StockroomError):
    """Fewer units are available than were asked for."""

    def __init__(self, sku: str, wanted: int, available: int) -> None:
        super().__init__(f"{sku}: {wanted} wanted, {available} available")
        self.sku = sku


class ReturnError(StockroomError):
    """A return does not fit the order it belongs to."""
