"""The REST API and the dashboard; both will read what `apr.service` gives."""
