"""A value of another kind, put in the place of each value that a file can have: a mistake in words, never an error."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from probe.errors import ScenarioError
from probe.scenario.file import read_scenario

EVERY_KEY = Path(__file__).parents[1] / "data" / "scenarios" / "valid" / "every_key.yaml"
KINDS = {"a text": "x", "nothing": "", "a list": ["x"], "a table": {"x": "y"}}


def paths(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in inside:
        yield (*path, step)
        yield from paths(value, (*path, step))


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_another_kind_is_a_mistake_in_words(kind: str):
    tree = yaml.load(EVERY_KEY.read_text(), Loader=yaml.BaseLoader)
    places = list(paths(tree))
    assert len(places) > 100
    for *steps, last in places:
        changed = copy.deepcopy(tree)
        holder = changed
        for step in steps:
            holder = holder[step]
        holder[last] = KINDS[kind]
        assert all(line.isprintable() for line in mistakes_in(yaml.dump(changed)))


def mistakes_in(text: str) -> list[str]:
    """The lines of the error, or nothing for a scenario; any other exception fails the test that asks."""
    try:
        read_scenario(text, "x.yaml", {}, lambda _name: "number\n")
    except ScenarioError as error:
        return str(error).split("\n")
    return []
