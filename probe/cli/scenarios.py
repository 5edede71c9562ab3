"""A scenario file's path in, the scenario out, checked as far as no network is needed."""

import os

from probe.errors import ScenarioError
from probe.scenario.file import load_scenario
from probe.scenario.scenario import Scenario
from probe.webhook.endpoint import check_endpoint


def load(path: str) -> Scenario:
    """Read a scenario file with the environment's values. ScenarioError for every mistake in it."""
    scenario = load_scenario(path, os.environ)
    if scenario.endpoint:
        try:
            check_endpoint(scenario.endpoint)
        except ScenarioError as error:
            raise ScenarioError(f"{path}: {error}") from error
    return scenario
