"""Stockroom: orders, prices and stock of a small warehouse."""
