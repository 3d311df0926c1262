"""The Celery application; its tasks will call `apr.service` and nothing else."""
