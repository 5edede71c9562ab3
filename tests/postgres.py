"""A PostgreSQL server for the tests: Debian's own, in a folder of its own, on a Unix socket; gone when they are."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

_VERSIONS = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    # The data lives for one run: what a power cut would lose, nobody misses.
    "fsync": "off",
    # As a server of somebody else may be set, and as no test expects it.
    "timezone": "Asia/Kathmandu",
    "default_transaction_isolation": "serializable",
    "lc_messages": "C",
}
# Order as people have it ("a" before "B"), where the server can: Python orders by code point.
_ORDER = ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8", "--encoding=UTF8")
_SUPERUSER = "probe"
# Who comes without a password is let in, but for this one; his is made for each run.
GUARDED = "guarded"
_ADMISSION = f"local all {GUARDED} scram-sha-256\nlocal all all trust\n"


def installed() -> bool:
    """Say whether Debian's postgresql is here."""
    return bool(list(_VERSIONS.glob("*/bin/initdb")))


@dataclass
class Server:
    """One server. `stop` and `start` are for tests of what happens then."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        settings = [f"-c{name}={value}" for name, value in (_SETTINGS | {"unix_socket_directories": self.host}).items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_nobody(), _tool("postgres"), "-D", self._data, *settings], stdout=log, stderr=log
            )
        ready = [_tool("pg_isready"), "-q", "-h", self.host]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()

    def begin_stop(self) -> None:
        """Let nobody in any more; those who are in may stay."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        lets_nobody_in = 1
        while subprocess.run([_tool("pg_isready"), "-q", "-h", self.host], check=False).returncode != lets_nobody_in:
            assert self._process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its connections, SIGQUIT is a crash."""
        assert self._process
        self._process.send_signal(how)
        self._process.wait(30)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def database(self, options: str = "") -> str:
        """Make an empty database; give its SQLAlchemy URL."""
        name = f"t{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def url(self, database: str, user: str = _SUPERUSER) -> str:
        return f"postgresql://{user}@/{database}?host={self.host}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement outside any transaction; give the rows it brings."""
        with closing(psycopg.connect(host=self.host, user=_SUPERUSER, dbname=database, autocommit=True)) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    @property
    def host(self) -> str:
        return str(self.folder)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")


class Emptied:
    """One database with all its tables, which is emptied for each test: a hundred times as fast as to make one."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _connection(self) -> "psycopg.Connection[tuple[str]]":
        return psycopg.connect(self.url, autocommit=True)

    def empty(self) -> None:
        """End the other connections, with what they hold; take every row away; number from 1 again."""
        others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        self._connection.execute(f"{others} AND pid <> pg_backend_pid()")
        found = self._connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [sql.Identifier(name) for (name,) in found if name != "alembic_version"]
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")  # in any order
            self._connection.execute(sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(name) for name in names))
            self._connection.execute("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def running() -> Iterator[Server]:
    """Make a server, start it, and take it away at the end."""
    # Not pytest's folder: the server may not be root, and has to come in.
    folder = Path(tempfile.mkdtemp(prefix="probe-pg-"))
    if os.getuid() == 0:
        os.chown(folder, *_nobody())
    try:
        server = Server(folder)
        initdb = [*_as_nobody(), _tool("initdb"), "-D", server._data, "-U", _SUPERUSER, "-A", "trust", "-N", *_ORDER]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
        (folder / "data" / "pg_hba.conf").write_text(_ADMISSION)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _tool(name: str) -> str:
    newest = max(_VERSIONS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(newest)


def _nobody() -> tuple[int, int]:
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _as_nobody() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return []
    uid, gid = _nobody()
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
