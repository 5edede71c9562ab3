from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import DAY_ONE, called, caller_id, counted, day_of, observed, signals_of, standings, strays

from probe.health import Signal
from probe.health.advice import steps_for
from probe.health.signals import attach, find_signals
from probe.report.signals import sentence
from probe.verdict import Disposition


@pytest.fixture(scope="module")
def calls():
    """A fleet in which everything happens at once: clusters, changes, silent blocks."""

    def blocked(call):
        number, network = int(call.caller[-4:]), call.network
        on_one = number < 8 and network == "network-02"
        everywhere = number == 9 and day_of(call) >= 20
        return 0.6 if on_one or everywhere else strays(call)

    def silent(call):
        return 0.8 if call.caller == caller_id(10) and call.callee == "+12125550400" else 0.0

    def of(call):
        return {"campaign": "solar" if int(call.caller[-4:]) < 8 else "support"}

    def declined(call):
        return 0.5 if call.caller == caller_id(11) and day_of(call) >= 25 else 0.1

    return called(callers=24, networks=6, days=36, blocked=blocked, silent=silent, declined=declined, named=of)


def test_everything_that_is_true_is_found_and_nothing_else(calls):
    found = {(one.kind, one.dimension, one.value, one.caller) for one in signals_of(calls) if one.dimension != "day"}
    assert found == {
        *(("cluster", "network", "network-02", caller_id(number)) for number in range(8)),
        ("cluster", "network", "network-02", None),
        ("cluster", "campaign", "solar", None),
        ("silent_block", "destination", "+12125550400", caller_id(10)),
    }
    changed = {(one.kind, one.caller) for one in signals_of(calls) if one.dimension == "day"}
    assert {("blocks_rose", caller_id(9)), ("declines_rose", caller_id(11))} == changed


def test_the_same_tallies_in_any_order_give_the_same_signals_in_the_same_order(calls):
    tallies, stands = list(counted(calls)), list(standings(calls))
    expected = find_signals(tallies, stands)
    assert expected
    for seed in range(3):
        Random(seed).shuffle(tallies)
        Random(seed).shuffle(stands)
        assert expected == find_signals(iter(tallies), stands)


def test_the_surest_signal_comes_first(calls):
    probabilities = [one.p for one in signals_of(calls)]
    assert sorted(probabilities) == probabilities
    assert all(0 < p <= 0.01 for p in probabilities)


def test_the_more_is_looked_at_the_less_sure_is_the_same_signal():
    def blocked(call):
        return 0.4 if (call.caller, call.network) == (caller_id(0), "network-02") else strays(call)

    calls = called(callers=30, networks=10, days=20, blocked=blocked)
    few = next(
        one for one in signals_of([call for call in calls if call.caller <= caller_id(1)]) if one.kind == "cluster"
    )
    many = next(one for one in signals_of(calls) if one.kind == "cluster")
    assert (few.hits, few.total, few.other_hits) == (many.hits, many.total, many.other_hits)
    assert few.p < many.p


def test_nothing_comes_of_nothing():
    assert () == find_signals((), ())
    assert () == signals_of(called(callers=1, networks=1, days=1))
    assert () == signals_of(called(callers=3, networks=3, days=3, blocked=lambda _: 1.0))


def test_calls_that_say_nothing_of_anybody_raise_nothing():
    calls = [
        call._replace(disposition=disposition, alerting_ms=None, final_ms=None)
        for disposition in (Disposition.INCONCLUSIVE, Disposition.INVALID_NUMBER, Disposition.ANALYTICS_SUSPECTED)
        for call in called(callers=5, networks=5, days=10)
    ]
    assert () == signals_of(calls)


def test_a_caller_has_its_own_signals_and_a_network_those_about_it(calls):
    found = signals_of(calls)
    carried = {(one.caller, one.network): one.signals for one in attach(standings(calls), found)}
    (on_network,) = carried[caller_id(0), "network-02"]
    assert ("cluster", "network-02") == (on_network.kind, on_network.value)
    assert on_network in carried[caller_id(0), None]
    assert () == carried[caller_id(0), "network-03"]
    assert ["silent_block"] == [one.kind for one in carried[caller_id(10), "network-04"]]
    assert ["blocks_rose"] == [one.kind for one in carried[caller_id(9), None]]
    assert () == carried[caller_id(9), "network-02"]


def test_signals_of_the_fleet_are_nobodys_own(calls):
    found = signals_of(calls)
    assert {None} < {one.caller for one in found}
    assert all(one.caller for standing in attach(standings(calls), found) for one in standing.signals)


def test_standings_keep_their_order_and_lose_the_signals_they_had(calls):
    old = Signal(kind="cluster", dimension="network", value="verizon", p=0.001)
    before = tuple(replace(one, signals=(old,)) for one in standings(calls))
    after = attach(before, ())
    assert [(one.caller, one.network) for one in before] == [(one.caller, one.network) for one in after]
    assert all(one.signals == () for one in after)


NAMES = st.sampled_from(["a", "b\t", "c d", "", "\x1b[2J", "{x}", '["q"]', "ü\u202e"])
CALLS = st.builds(
    observed,
    caller=st.sampled_from(["+12025550101", "+12025550102", "+12025550103"]),
    callee=st.sampled_from(["+12125550191", "+12125550192", "1 2", "sip:x"]),
    network=st.none() | NAMES,
    trunk=NAMES,
    started_at=st.integers(-400, 400).map(lambda hours: DAY_ONE + timedelta(hours=7 * hours)),
    disposition=st.sampled_from(Disposition),
    alerting_ms=st.none() | st.floats(0, 1e5),
    final_ms=st.none() | st.floats(0, 1e7),
    campaign=st.none() | NAMES,
    tags=st.tuples(NAMES, NAMES),
    timezone=st.sampled_from([None, "America/New_York", "Asia/Tokyo"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=8), st.integers(1, 20))
def test_whatever_the_calls_are_signals_are_sure_and_said_in_plain_words(calls, days):
    lasting = [call._replace(started_at=call.started_at + timedelta(days=day)) for day in range(days) for call in calls]
    found = attach(standings(lasting), signals_of(lasting))
    for one in found:
        assert all(0 < signal.p <= 0.01 for signal in one.signals)
        assert all(sentence(signal).isprintable() for signal in one.signals)
        assert all(step.isprintable() for step in steps_for(one, one.signals, ()))
