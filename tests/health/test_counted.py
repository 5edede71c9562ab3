from datetime import timedelta

from observed import DAY_ONE, counted, observed

from probe.health.counted import DAYS, Counted
from probe.verdict import Disposition


def on(day, **known):
    return observed(started_at=DAY_ONE + timedelta(days=day, hours=14), **known)


def test_days_reach_thirteen_weeks_back_and_sums_for_ever():
    found = Counted(counted([on(0), on(1, disposition=Disposition.ANALYTICS_BLOCKED), on(DAYS)]))
    (caller,) = found.callers.values()
    assert [1, DAYS] == [day.number - DAY_ONE.toordinal() for day in caller.days]
    assert (3, 1, 3) == (caller.calls, caller.blocked, caller.judged)
    assert {"2026-09-02", "2026-12-01"} == {route.day for route in found.routes}


def test_the_last_day_is_anybodys():
    found = Counted(counted([on(0), on(3, caller="+12025550102")]))
    assert DAY_ONE.toordinal() + 3 == found.today


def test_a_line_is_on_the_network_that_most_calls_to_it_were_on():
    ported = [on(day, network="verizon" if day < 4 else "att") for day in range(6)]
    assert {"+12125550191": "verizon"} == Counted(counted(ported)).networks
    assert {"+12125550191": ""} == Counted(counted([on(0, network=None)])).networks


def test_no_tallies_count_nothing():
    found = Counted(())
    assert ({}, {}, {}) == (found.callers, found.routes, found.networks)
