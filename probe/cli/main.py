"""Arguments in, an exit code out. Each command is a module of this room, loaded when it is needed."""

import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType

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
    command = _load(_MODULES.get(parsed.command, parsed.command))
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
    except OSError as error:
        say(f"probe: the machine fails: {error.strerror or error}; see to that first.")
        return UNTESTED
    except Exception:  # noqa: BLE001 - Python's own code for it is 1, which is a finding here
        with suppress(OSError):
            sys.excepthook(*sys.exc_info())
        return UNTESTED
    return code


def _load(name: str) -> ModuleType:
    """Load a command. To look for garbage in what stays for good would take a sixth of a short command's time."""
    gc.disable()
    command = importlib.import_module(f"probe.cli.{name}")
    gc.freeze()
    gc.enable()
    return command


def worst(codes: Sequence[int]) -> int:
    """Of several exit codes, the worst: 2, 4, 3, 1, 0."""
    return next((code for code in (USAGE, GUARDED, UNTESTED, FINDING) if code in codes), FINE)
