"""Judging patches; usable alone: knows no model, no database, no queue."""
