"""A process that has loaded probe, and forks for each command.

To start Python and to load probe takes one core most of a second, and these tests run some hundreds of commands. What
a test sees is the same: a process with an environment, an input, two outputs and an exit code. That commands start by
themselves, too, is seen in `test_cli_secrets.py`, with the daemon, on the terminal and against the container.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

SECONDS = 60  # no command takes longer
_MOST = 1 << 17  # bytes of an order

Done = subprocess.CompletedProcess[bytes]


def run_alone(arguments: Sequence[str], stdin: bytes, environment: Mapping[str, str]) -> Done:
    """Run one command to its end in a Python of its own: for what Python itself takes from the environment."""
    command = [sys.executable, "-m", "probe", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=SECONDS, env=environment)


class Loaded:
    """Runs commands, several at once if it is told to."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def close(self) -> None:
        """End the process; the commands that it runs go on."""
        self._orders.close()
        self._process.wait(10)

    def run(self, arguments: Sequence[str], stdin: bytes, environment: Mapping[str, str]) -> Done:
        """Run one command to its end."""
        order = json.dumps([arguments, dict(environment), str(Path.cwd())]).encode()
        assert len(order) < _MOST
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            ours, theirs = os.pipe()
            with os.fdopen(ours, "rb") as ending:
                socket.send_fds(self._orders, [order], [given.fileno(), out.fileno(), said.fileno(), theirs])
                os.close(theirs)
                code = _wait(ending.fileno())
            out.seek(0)
            said.seek(0)
            return Done(arguments, code, out.read(), said.read())


def _wait(ending: int) -> int:
    """Wait for a command, whose process writes its id at once and its exit code at its end."""
    told, until = b"", time.monotonic() + SECONDS
    while told.count(b"\n") < 2:
        if not select.select([ending], [], [], max(0.0, until - time.monotonic()))[0]:
            os.kill(int(told.split()[0]), signal.SIGKILL)
            raise TimeoutError(f"a command was not over after {SECONDS} s")
        piece = os.read(ending, 64)
        assert piece, "the process that forks for each command has ended"
        told += piece
    return int(told.split()[1])


def _load() -> None:
    room = importlib.import_module("probe.cli")
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"probe.cli.{module.name}")
    gc.freeze()  # or each command would look through all of it for garbage: four times the work of a short one


def _take(orders: socket.socket) -> list[str]:
    """Return in a new process for each order, with its outputs, its environment and its folder; give its arguments."""
    while True:
        order, files, _, _ = socket.recv_fds(orders, _MOST, 4)
        if not order:
            sys.exit()
        if not os.fork():
            arguments, environment, folder = json.loads(order)
            _watch(files.pop())
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            orders.close()
            os.environ.clear()
            os.environ.update(environment)
            time.tzset()
            os.chdir(folder)
            return list(arguments)
        for file in files:
            os.close(file)


def _watch(ending: int) -> None:
    """Return in a new process; stay in this one until that is over, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if not command:
        os.close(ending)
        return
    os.write(ending, b"%d\n" % command)
    _, status = os.waitpid(command, 0)
    os.write(ending, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch
    _load()
    sys.argv[1:] = _take(socket.socket(fileno=int(sys.argv[1])))
    from probe.__main__ import main

    main()
