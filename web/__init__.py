"""The REST API and the dashboard: one application, one database, one service."""
