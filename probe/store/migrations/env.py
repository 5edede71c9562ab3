"""The connection that `probe.store.opening` has locked in, the steps run on it, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
