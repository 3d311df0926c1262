"""Distributed execution on Celery: the queue, its workers, and what brings lost runs back."""
