"""Arguments in, an exit code out. Each command is a module of this room, loaded when it is needed."""

import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from probe.cli.arguments import parser
from probe.cli.outside import say
from probe.errors import AgentError, ProbeError, ReceiverError, ScenarioError, StoreError, TrunkError

# Exit codes: see the table in the README. The worst of several is the first in this order.
USAGE, GUARDED, UNTESTED, FINDING, FINE = 2, 4, 3, 1, 0

_MODULES = {"resume": "pause", "import": "importing"}  # the other commands have a module of their own name

_CODES: tuple[tuple[type[ProbeError], int], ...] = (
    (ScenarioError, USAGE),
    (TrunkError, UNTESTED),
    (AgentError, UNTESTED),
    (StoreError, UNTESTED),
    (ReceiverError, UNTESTED),
)


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line. Errors that probe raises on purpose become one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 gets escapes, not a stack trace
            stream.reconfigure(errors="backslashreplace")
    parsed = parser().parse_args(arguments)
    command = importlib.import_module(f"probe.cli.{_MODULES.get(parsed.command, parsed.command)}")
    try:
        code: int = command.run(parsed)
        sys.stdout.flush()
    except ProbeError as error:
        say(f"probe: {error}")
        return next(code for kind, code in _CODES if isinstance(error, kind))
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does: not an error, and nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


def worst(codes: Sequence[int]) -> int:
    """Of several exit codes, the worst: 2, 4, 3, 1, 0."""
    return next((code for code in (USAGE, GUARDED, UNTESTED, FINDING) if code in codes), FINE)
