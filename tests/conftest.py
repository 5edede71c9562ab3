"""Settings that all tests share, and the databases that they run on."""

import sys
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from databases import EmptiedFile
from hypothesis import settings

from probe.store import open_store

# As it is imported, jsonschema has this compile every grammar of RFC 3987, which takes each worker 2.5 s; it goes
# without where it is not installed, and no schema of probe has an IRI in it.
sys.modules["rfc3987_syntax"] = None

# A loaded CI machine is no reason to fail; the suite's own time limit guards against what hangs.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A server that all tests of one worker share; who stops a server takes `own_postgresql`."""
    if not postgres.installed():
        pytest.skip("needs PostgreSQL (Debian: postgresql)")
    with postgres.running() as server:
        yield server


@pytest.fixture
def own_postgresql() -> Iterator[postgres.Server]:
    if not postgres.installed():
        pytest.skip("needs PostgreSQL (Debian: postgresql)")
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def emptied(postgresql: postgres.Server) -> Iterator[postgres.Emptied]:
    database = postgres.Emptied(postgresql.database())
    open_store(database.url).close()
    yield database
    database.close()


@pytest.fixture(scope="session")
def emptied_file(tmp_path_factory: pytest.TempPathFactory) -> EmptiedFile:
    return EmptiedFile(tmp_path_factory.mktemp("emptied") / "results")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that was never opened: on PostgreSQL an empty database, which takes a moment to make."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    server: postgres.Server = request.getfixturevalue("postgresql")
    return server.database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh store, on either database."""
    database: EmptiedFile | postgres.Emptied
    database = request.getfixturevalue("emptied_file" if request.param == "sqlite" else "emptied")
    database.empty()
    return database.url
