from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import DAY_ONE, called, counted, observed

from probe.health import Dimension, Tallies
from probe.health.tally import EVERYBODY, WEEKDAYS, Route, is_quiet, ms_of, octave_of, read_route, step_of, written
from probe.verdict import Disposition

CALLER = "+12025550101"


def values(*calls):
    """What stands in the tallies: by dimension and value [calls, blocked, through, declined, quiet]."""
    found = Tallies()
    for call in calls:
        found.add(call)
    return {(dimension, value): counts for (caller, dimension, value), counts in found.counts.items() if caller}


def everybodys(*calls):
    found = Tallies()
    for call in calls:
        found.add(call)
    return {(of, value): counts for (caller, of, value), counts in found.counts.items() if caller == EVERYBODY}


def test_a_call_is_counted_under_all_that_it_has_in_common_with_others():
    call = observed(campaign="solar", label="Support", lead_source="fair", tags=("new", "east"))
    known = {
        ("network", "verizon"),
        ("trunk", "carrier-a"),
        ("destination", "+12125550191"),
        ("campaign", "solar"),
        ("label", "Support"),
        ("lead_source", "fair"),
        ("tag", "new"),
        ("tag", "east"),
        ("hour", "10 0"),
        ("weekday", "tue"),
        ("day", "2026-09-01"),
    }
    found = values(call)
    assert known == set(found)
    assert all(counts == [1, 0, 1, 0, 0] for counts in found.values())


def test_what_is_not_known_is_left_out():
    call = observed(network=None, callee="not a number", timezone=None)
    assert {("trunk", "carrier-a"), ("destination", "not a number"), ("day", "2026-09-01")} == set(values(call))


def test_every_call_is_counted_over_the_trunks():
    assert [1, 0, 1, 0, 0] == values(observed(trunk=""))["trunk", ""]


def test_a_tag_that_is_given_twice_counts_once():
    assert [1, 0, 1, 0, 0] == values(observed(tags=("east", "east")))["tag", "east"]


@pytest.mark.parametrize(
    ("disposition", "counts"),
    [
        (Disposition.ANALYTICS_BLOCKED, [1, 1, 0, 0, 0]),
        (Disposition.ANSWERED, [1, 0, 1, 0, 0]),
        (Disposition.USER_DECLINED, [1, 0, 1, 1, 0]),
        (Disposition.REJECTED_AMBIGUOUS, [1, 0, 0, 0, 1]),
        (Disposition.UNREACHABLE, [1, 0, 0, 0, 1]),
        (Disposition.USER_BUSY, [1, 0, 1, 0, 1]),
        (Disposition.ANALYTICS_SUSPECTED, [1, 0, 0, 0, 0]),
        (Disposition.INCONCLUSIVE, [1, 0, 0, 0, 0]),
    ],
)
def test_a_call_counts_as_what_it_says_of_its_caller(disposition, counts):
    assert counts == values(observed(disposition=disposition, final_ms=300.0))["network", "verizon"]


@pytest.mark.parametrize(
    ("known", "quiet"),
    [
        ({"disposition": Disposition.REJECTED_AMBIGUOUS, "final_ms": 300.0}, True),
        ({"disposition": Disposition.USER_BUSY, "final_ms": 300.0}, True),
        ({"disposition": Disposition.USER_BUSY, "final_ms": 3_000.0, "alerting_ms": 900.0}, False),
        ({"disposition": Disposition.USER_BUSY}, False),  # placed by others, who noted no times
        ({"disposition": Disposition.ANALYTICS_BLOCKED, "final_ms": 300.0}, False),
        ({"disposition": Disposition.INVALID_NUMBER, "final_ms": 300.0}, False),
    ],
)
def test_a_refusal_is_quiet_where_nothing_rang_and_nobody_says_why(known, quiet):
    assert quiet is is_quiet(observed(**known))


def test_how_soon_a_destination_refuses_is_the_callers_and_how_soon_it_alerts_everybodys():
    refused = observed(disposition=Disposition.REJECTED_AMBIGUOUS, final_ms=300.0)
    busy = observed(disposition=Disposition.USER_BUSY, final_ms=310.0)
    rang = observed(alerting_ms=2_000.0)
    assert [2, 0, 1, 0, 2] == values(refused, busy, rang)["quiet", "+12125550191 64"]
    assert [1, 0, 0, 0, 0] == everybodys(refused, busy, rang)["alerting", "+12125550191 88"]


def test_a_route_knows_who_got_through_and_who_was_refused_quietly():
    refused = observed(disposition=Disposition.REJECTED_AMBIGUOUS, final_ms=300.0)
    busy = observed(disposition=Disposition.USER_BUSY, final_ms=310.0)
    route = written(Route("2026-09-01", "+12125550191", "carrier-a", "verizon"))
    assert [3, 0, 1, 0, 2] == everybodys(refused, busy, observed())["route", route]


@given(st.builds(Route, st.just("2026-09-01"), st.just("+12125550191"), st.text("abc .-\t", min_size=1), st.text()))
def test_a_route_is_read_as_it_was_written(route):
    assert route._replace(trunk=route.trunk.replace("\t", " ")) == read_route(written(route))


def test_a_control_call_makes_a_refused_call_a_blocked_one():
    refused = observed(disposition=Disposition.REJECTED_AMBIGUOUS, final_ms=300.0, campaign="solar")
    found = Tallies()
    found.add(refused)
    found.settle(refused, observed(caller="+12025550100", control_of="call-1"))
    settled = {(of, value): counts for (caller, of, value), counts in found.counts.items() if caller}
    assert (
        [1, 1, 0, 0, 1] == settled["network", "verizon"] == settled["campaign", "solar"] == settled["day", "2026-09-01"]
    )


@pytest.mark.parametrize("control", [Disposition.REJECTED_AMBIGUOUS, Disposition.INCONCLUSIVE])
def test_a_control_call_that_did_not_get_through_changes_nothing(control):
    refused = observed(disposition=Disposition.REJECTED_AMBIGUOUS, final_ms=300.0)
    found = Tallies()
    found.settle(refused, observed(caller="+12025550100", disposition=control))
    assert {} == found.counts


@pytest.mark.parametrize(
    ("at", "zone", "hour", "weekday"),
    [
        (datetime(2026, 9, 1, 3, 30, tzinfo=UTC), "America/Los_Angeles", "20", "mon"),
        (datetime(2026, 9, 1, 23, 30, tzinfo=UTC), "Asia/Tokyo", "08", "wed"),
        (datetime(2026, 12, 1, 17, 0, tzinfo=UTC), "America/New_York", "12", "tue"),
    ],
)
def test_hour_and_weekday_are_those_at_the_called_party(at, zone, hour, weekday):
    found = values(observed(started_at=at, timezone=zone))
    assert [hour] == [value.split()[0] for of, value in found if of is Dimension.HOUR]
    assert ("weekday", weekday) in found
    assert ("day", f"{at:%Y-%m-%d}") in found


def test_an_afternoon_is_in_one_third_and_three_days_are_in_three():
    thirds = [
        value.split()[1]
        for day in range(6)
        for of, value in values(observed(started_at=DAY_ONE + timedelta(days=day, hours=15)))
        if of is Dimension.HOUR
    ]
    assert {"0", "1", "2"} == set(thirds[:3])
    assert thirds[:3] == thirds[3:]


def test_each_third_has_every_weekday():
    days = [DAY_ONE + timedelta(days=number, hours=15) for number in range(21)]
    dealt = {(values_third(at), WEEKDAYS[at.weekday()]) for at in days}
    assert 21 == len(dealt)


def values_third(at):
    return next(value.split()[1] for of, value in values(observed(started_at=at)) if of is Dimension.HOUR)


def test_counts_add_up_in_any_order():
    calls = called(callers=2, networks=2, days=1, blocked=lambda _: 0.3, silent=lambda _: 0.3)
    expected = {(row.caller, row.dimension, row.value): row for row in counted(calls)}
    for order in permutations(calls):
        assert expected == {(row.caller, row.dimension, row.value): row for row in counted(order)}


def test_counts_of_parts_add_up_to_the_counts_of_the_whole():
    calls = called(callers=3, networks=3, days=5, blocked=lambda _: 0.3)
    Random(603).shuffle(calls)
    whole, first, second = Tallies(), Tallies(), Tallies()
    for call in calls:
        whole.add(call)
        (first if call.callee < "+121255501" else second).add(call)
    zero = [0] * 5
    sums = {
        row: [a + b for a, b in zip(first.counts.get(row, zero), second.counts.get(row, zero), strict=True)]
        for row in first.counts.keys() | second.counts.keys()
    }
    assert whole.counts == sums


@pytest.mark.parametrize(("ms", "step", "octave"), [(0.0, 0, 0), (1.0, 0, 0), (300.0, 66, 64), (2_000.0, 88, 88)])
def test_times_fall_into_steps_of_an_eighth_of_an_octave(ms, step, octave):
    assert (step, octave) == (step_of(ms), octave_of(ms))


@given(st.floats(2.0, 1e6))
def test_a_step_is_within_five_percent_and_an_octave_within_half_an_octave(ms):
    assert ms == pytest.approx(ms_of(step_of(ms)), rel=0.05, abs=0.51)
    assert abs(step_of(ms) - octave_of(ms)) <= 4
