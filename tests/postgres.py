"""A PostgreSQL server for the tests: Debian's own, in a folder of its own, on a Unix socket; gone when they are."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

_VERSIONS = Path("/usr/lib/postgresql")
# The data lives for one run: what a power cut would lose, nobody misses.
_SETTINGS = {"listen_addresses": "", "fsync": "off", "max_connections": "60", "shared_buffers": "32MB"}


def installed() -> bool:
    """Say whether Debian's postgresql is here."""
    return bool(list(_VERSIONS.glob("*/bin/initdb")))


@dataclass
class Server:
    """One server. `database()` makes an empty database; `stop` and `start` are for tests of what happens then."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        settings = [
            f"-c{name}={value}" for name, value in (_SETTINGS | {"unix_socket_directories": self._socket}).items()
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_nobody(), _tool("postgres"), "-D", self._data, *settings], stdout=log, stderr=log
            )
        ready = [_tool("pg_isready"), "-q", "-h", self._socket]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its connections, SIGQUIT is a crash."""
        assert self._process
        self._process.send_signal(how)
        self._process.wait(30)

    def database(self) -> str:
        """Make an empty database; give its SQLAlchemy URL."""
        name = f"t{next(self._numbers)}"
        subprocess.run([_tool("createdb"), "-h", self._socket, "-U", "probe", name], check=True)
        return f"postgresql+psycopg://probe@/{name}?host={self._socket}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def _socket(self) -> str:
        return str(self.folder)


@contextmanager
def running() -> Iterator[Server]:
    """Make a server, start it, and take it away at the end."""
    # Not pytest's folder: the server may not be root, and has to come in.
    folder = Path(tempfile.mkdtemp(prefix="probe-pg-"))
    if os.getuid() == 0:
        os.chown(folder, *_nobody())
    try:
        server = Server(folder)
        initdb = [*_as_nobody(), _tool("initdb"), "-D", server._data, "-U", "probe", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
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
