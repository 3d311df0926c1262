"""Keeps runs, search trees, verdicts and events: one implementation for SQLite and PostgreSQL."""
