"""A scenario file's path in, the scenario out, checked as far as no network is needed."""

import os

from probe.cli.cards import read_cards
from probe.cli.kept import KeptValues
from probe.errors import ScenarioError
from probe.scenario.file import load_scenario
from probe.scenario.scenario import Scenario
from probe.webhook.endpoint import check_endpoint


def load(path: str) -> Scenario:
    """Read a scenario file with values of the environment, files and the keyring. ScenarioError for every mistake."""
    scenario = load_scenario(path, KeptValues(os.environ))
    try:
        if scenario.endpoint:
            check_endpoint(scenario.endpoint)
        read_cards(scenario.card_rules)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error
    return scenario
