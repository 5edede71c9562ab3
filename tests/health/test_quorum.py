from dataclasses import replace

import pytest
from observed import called, caller_id, observed, signals_of, standings

from probe.health import State
from probe.health.advice import steps_for
from probe.health.tally import Dimension, Tallies
from probe.report.signals import sentence

HAUNTED = caller_id(1)


def from_sites(blocked_at, sites=("east", "north", "west"), days=20, network="network-00"):
    """Three caller IDs called by turns from each site; one of them is blocked from some sites on one network."""
    numbers = iter(range(1_000_000))

    def named(_call):
        return {"site": sites[next(numbers) % len(sites)]}

    def blocked(call):
        return 0.7 if call.caller == HAUNTED and call.network == network and call.site in blocked_at else 0.0

    return called(callers=2, networks=2, days=days, rounds=4, blocked=blocked, named=named)


def paths(calls):
    return [one for one in signals_of(calls) if one.kind == "path"]


def test_blocked_from_one_site_only_is_a_path():
    (signal,) = paths(from_sites({"east"}))
    assert ("site", "east", HAUNTED, "network-00") == (signal.dimension, signal.value, signal.caller, signal.network)
    assert (0, True) == (signal.other_hits, signal.hits <= signal.total < signal.other_total)


@pytest.mark.parametrize("sites", [{"east", "west"}, {"east", "north", "west"}])
def test_blocked_from_two_sites_is_the_number(sites):
    assert [] == paths(from_sites(sites))


def test_one_site_alone_can_tell_nothing_of_paths():
    assert [] == paths(from_sites({"east"}, sites=("east",)))


def test_a_single_block_is_no_path():
    calls = from_sites(set())
    mine = next(number for number, call in enumerate(calls) if call.caller == HAUNTED)
    calls[mine] = calls[mine]._replace(disposition="analytics_blocked")
    assert [] == paths(calls)


def test_calls_of_this_machine_alone_have_no_site():
    tallies = Tallies()
    tallies.add(observed())
    tallies.add(observed(site="east", network=None))
    assert {"east "} == {row.value for row in tallies.rows() if row.dimension is Dimension.SITE}


def test_a_path_is_told_in_words_and_asks_for_the_path_to_be_looked_at_first():
    calls = from_sites({"east"})
    (signal,) = paths(calls)
    assert (
        f"Blocks of {HAUNTED} on network-00 come from site east alone: {signal.hits} of {signal.total} calls there, "
        f"none of {signal.other_total} from elsewhere. That is about the path, not about the number."
    ) == sentence(signal)
    (whole,) = [one for one in standings(calls) if one.caller == HAUNTED and one.network is None]
    steps = steps_for(replace(whole, standing=State.BLOCKED), [signal], ())
    told = next(number for number, step in enumerate(steps) if step.startswith("Path: "))
    assert told < next(number for number, step in enumerate(steps) if step.startswith("Take "))
