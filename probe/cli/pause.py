"""`probe pause` and `probe resume`: nothing is dialled from, to or over what is paused; it survives every restart."""

import argparse

from probe.cli.history import open_history
from probe.cli.main import FINE
from probe.cli.outside import now, print_json, tell
from probe.errors import ScenarioError
from probe.phone import normalise
from probe.scenario.history import PauseKind


def run(arguments: argparse.Namespace) -> int:
    """Pause a number or a trunk, or let it go on."""
    kind, name = _named(arguments)
    store = open_history(arguments)
    if arguments.command == "pause":
        changed = store.pause(kind, name, arguments.why, now())
        words = f"{name} is paused" if changed else f"{name} was paused before"
    else:
        changed = store.resume(kind, name, now())
        words = f"{name} goes on" if changed else f"{name} was not paused"
    store.close()
    if arguments.json:
        print_json({"kind": kind.value, "name": name, "changed": changed})
    else:
        tell(f"{words}.")
    return FINE


def _named(arguments: argparse.Namespace) -> tuple[PauseKind, str]:
    if arguments.trunk:
        return PauseKind.TRUNK, arguments.name
    number = normalise(arguments.name)
    if number is None:
        raise ScenarioError(f"{arguments.name!r} is not a phone number; write it as +12025550101, or say --trunk.")
    return PauseKind.NUMBER, number
