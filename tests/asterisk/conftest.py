"""The fixture `asterisk`: a running carrier, one for the whole test session, shared by all its xdist workers."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from asterisk.container import Carrier, CarrierError, down, free_port, owner_of, up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests may have to wait until the image is made."""
    for item in items:
        if "asterisk" in getattr(item, "fixturenames", ()):
            item.add_marker("asterisk")
            item.add_marker(pytest.mark.timeout(600))
            item.add_marker(pytest.mark.xdist_group("asterisk"))


@pytest.fixture(scope="session")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    """Lend the carrier. Where there can be none, CI fails; a developer's run skips and says what is missing."""
    own = tmp_path_factory.getbasetemp()
    worker = "PYTEST_XDIST_WORKER" in os.environ
    shared = own.parent if worker else own
    try:
        carrier = _join(shared, owner_of(os.getppid() if worker else os.getpid()))
    except CarrierError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    yield carrier
    _leave(shared)


def _join(shared: Path, owner: str) -> Carrier:
    """The first who asks brings the carrier up."""
    with _lent(shared) as file:
        if file.exists():
            lent = json.loads(file.read_text())
            carrier, users = Carrier(**lent["carrier"]), lent["users"]
        else:
            carrier, users = up(free_port(), ca_file=shared / "asterisk-ca.pem", owner=owner), 0
        file.write_text(json.dumps({"carrier": asdict(carrier), "users": users + 1}))
        return carrier


def _leave(shared: Path) -> None:
    """The last who leaves takes it down."""
    with _lent(shared) as file:
        lent = json.loads(file.read_text())
        if lent["users"] > 1:
            file.write_text(json.dumps(lent | {"users": lent["users"] - 1}))
            return
        file.unlink()
        down(lent["carrier"]["name"])


@contextmanager
def _lent(shared: Path) -> Iterator[Path]:
    with (shared / "asterisk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield shared / "asterisk.json"
