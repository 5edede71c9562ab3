"""An old schema in, the newest out: Alembic's steps, run by `probe.store.opening`."""
