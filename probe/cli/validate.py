"""`probe validate`: scenario files in, a line for each out."""

import argparse

from probe.cli.main import FINE, USAGE
from probe.cli.outside import print_json, say, tell
from probe.cli.scenarios import load
from probe.errors import ScenarioError
from probe.scenario.dangers import dangers
from probe.scenario.scenario import Scenario


def run(arguments: argparse.Namespace) -> int:
    """Read every file and tell of all mistakes, not only of the first file's."""
    codes = [_validate(path, as_json=arguments.json) for path in arguments.scenarios]
    return max(codes)


def _validate(path: str, *, as_json: bool) -> int:
    try:
        scenario = load(path)
    except ScenarioError as error:
        if as_json:
            print_json({"file": path, "ok": False, "mistakes": str(error).splitlines(), "dangers": []})
        say(f"probe: {error}")
        return USAGE
    for danger in dangers(scenario.trunk):
        say(f"probe: {path}: {danger}")
    if as_json:
        print_json({"file": path, "ok": True, "mistakes": [], "dangers": dangers(scenario.trunk)})
    else:
        tell(f"{path}: ok, {_size(scenario)} over {scenario.trunk.uri}")
    return FINE


def _size(scenario: Scenario) -> str:
    callers, destinations = len(scenario.callers), len(scenario.destinations)
    return f"{callers} callers x {destinations} destinations = {callers * destinations} calls a round"
