from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from observed import DAY_ONE, HOURS, called, caller_id, counted, day_of, signals_of, standings, strays

from probe.health import State
from probe.health.signals import find_signals
from probe.verdict import Disposition

BLOCKED_ONE = caller_id(3)


def clusters(calls, **wanted):
    """The clusters that these calls raise: dimension, value, caller ID."""
    found = [one for one in signals_of(calls) if one.kind == "cluster"]
    return {
        (one.dimension, one.value, one.caller): one
        for one in found
        if all(getattr(one, name) == value for name, value in wanted.items())
    }


def one_on(network, share=0.5, since=0):
    def blocked(call):
        is_it = call.caller == BLOCKED_ONE and call.network == network and day_of(call) >= since
        return share if is_it else strays(call)

    return blocked


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_fleet_raises_no_signal(seed):
    assert () == signals_of(called(callers=30, networks=20, days=12, seed=seed))


@pytest.mark.parametrize("seed", range(3))
def test_a_number_blocked_on_one_network_of_twenty_is_found_with_twenty_calls_there(seed):
    calls = called(callers=10, networks=20, days=20, seed=seed, blocked=one_on("network-07"))
    found = clusters(calls)
    assert {("network", "network-07", BLOCKED_ONE)} == set(found)
    (signal,) = found.values()
    assert (20, 380) == (signal.total, signal.other_total)
    assert signal.hits > 10 * signal.other_hits / 19
    assert ("calls", "network-07") == (signal.of, signal.network)


def test_a_number_blocked_everywhere_is_tied_to_nothing():
    calls = called(
        callers=10, networks=10, days=30, lines=2, blocked=lambda c: 0.5 if c.caller == BLOCKED_ONE else 0.01
    )
    assert {} == clusters(calls)


def test_one_blocked_afternoon_is_no_pattern_of_hours():
    def blocked(call):
        return 0.95 if day_of(call) == 20 and call.started_at.hour == 20 else strays(call)

    assert {} == clusters(called(callers=5, networks=20, days=25, rounds=2, blocked=blocked))


def test_two_blocked_afternoons_are_no_pattern_of_hours():
    def blocked(call):
        return 0.95 if day_of(call) in {20, 24} and call.started_at.hour == 20 else strays(call)

    assert {} == clusters(called(callers=5, networks=20, days=25, rounds=2, blocked=blocked))


def test_an_hour_that_is_blocked_day_by_day_is_a_pattern():
    def blocked(call):
        return 0.4 if call.caller == BLOCKED_ONE and call.started_at.hour == 20 else strays(call)

    calls = called(callers=5, networks=20, days=25, rounds=2, blocked=blocked)
    assert {("hour", "16", BLOCKED_ONE)} == set(clusters(calls))


def test_a_block_that_began_on_a_thursday_is_no_pattern_of_weekdays():
    thursday = next(day for day in range(14, 28) if (DAY_ONE + timedelta(days=day)).weekday() == 3)
    for last in range(thursday + 1, thursday + 4):
        calls = called(
            callers=5, networks=20, days=last, rounds=2, blocked=lambda c: 0.6 if day_of(c) >= thursday else 0
        )
        assert {} == clusters(calls)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("America/New_York", dict(zip(HOURS, HOURS, strict=True))),
        (
            "America/Los_Angeles",
            {hour: 25 + place for place, hour in enumerate(HOURS)},
        ),  # evenings: the next day of UTC
        ("Asia/Tokyo", {hour: place - 8 for place, hour in enumerate(HOURS)}),  # mornings: the day before
    ],
)
def test_a_weekday_that_is_blocked_week_by_week_is_a_pattern(zone, hours):
    def there(call):
        midnight = DAY_ONE + timedelta(days=day_of(call))
        return {"timezone": zone, "started_at": midnight + timedelta(hours=hours[call.started_at.hour])}

    def blocked(call):
        friday = call.started_at.astimezone(ZoneInfo(zone)).weekday() == 4
        return 0.6 if call.caller == BLOCKED_ONE and friday else strays(call)

    calls = called(callers=5, networks=20, days=70, blocked=blocked, named=there)
    assert {("weekday", "fri", BLOCKED_ONE)} == set(clusters(calls))


def test_of_a_blocked_network_no_single_destination_is_named():
    calls = called(callers=5, networks=10, lines=4, days=30, blocked=one_on("network-02"))
    assert {("network", "network-02", BLOCKED_ONE)} == set(clusters(calls))


def test_of_a_blocked_destination_its_network_is_not_named():
    def blocked(call):
        return 0.9 if (call.caller, call.callee) == (BLOCKED_ONE, "+12125550201") else strays(call)

    calls = called(callers=5, networks=10, lines=4, days=30, blocked=blocked)
    found = clusters(calls)
    assert {("destination", "+12125550201", BLOCKED_ONE)} == set(found)
    (signal,) = found.values()
    assert (30, 90, "network-02") == (signal.total, signal.other_total, signal.network)


def test_a_trunk_whose_calls_are_blocked_is_named():
    def over(call):
        return {"trunk": "carrier-b" if (day_of(call) + int(call.callee[-3])) % 2 else "carrier-a"}

    def blocked(call):
        return 0.4 if call.caller == BLOCKED_ONE and call.trunk == "carrier-b" else strays(call)

    calls = called(callers=5, networks=10, days=30, blocked=blocked, named=over)
    assert {("trunk", "carrier-b", BLOCKED_ONE)} == set(clusters(calls))


def test_a_trunk_that_was_used_on_the_blocked_days_alone_may_have_nothing_to_do_with_them():
    def over(call):
        return {"trunk": "carrier-b" if day_of(call) % 2 else "carrier-a"}

    def blocked(call):
        return 0.4 if call.caller == BLOCKED_ONE and call.trunk == "carrier-b" else strays(call)

    assert {} == clusters(called(callers=5, networks=10, days=30, blocked=blocked, named=over))


def test_a_campaign_that_varies_within_a_number_is_held_against_its_other_calls():
    def of(call):
        return {"campaign": "solar"} if day_of(call) % 3 == 0 else {}

    def blocked(call):
        return 0.4 if call.caller == BLOCKED_ONE and call.campaign else strays(call)

    calls = called(callers=5, networks=10, days=30, blocked=blocked, named=of)
    found = clusters(calls)
    assert {("campaign", "solar", BLOCKED_ONE)} == set(found)
    assert (100, 200) == next((one.total, one.other_total) for one in found.values())


def test_a_network_that_was_first_called_when_a_block_began_is_not_what_it_is_tied_to():
    def blocked(call):
        return 0.5 if call.caller == BLOCKED_ONE and day_of(call) >= 50 else strays(call)

    calls = called(callers=5, networks=10, days=60, blocked=blocked)
    grown = [call for call in calls if call.network != "network-09" or day_of(call) >= 50]
    assert {} == clusters(grown)


def test_a_network_that_was_added_and_blocks_is_what_a_block_is_tied_to():
    def blocked(call):
        return 0.5 if (call.caller, call.network) == (BLOCKED_ONE, "network-09") else strays(call)

    calls = called(callers=5, networks=10, days=60, blocked=blocked)
    grown = [call for call in calls if call.network != "network-09" or day_of(call) >= 40]
    assert {("network", "network-09", BLOCKED_ONE)} == set(clusters(grown))


@pytest.mark.parametrize("networks", [2, 3])
def test_one_of_a_few_networks_that_blocks_is_found(networks):
    calls = called(callers=5, networks=networks, days=40, rounds=3, blocked=one_on("network-01", since=25))
    assert {("network", "network-01", BLOCKED_ONE)} == set(clusters(calls))


def test_a_property_of_numbers_is_held_against_whether_they_are_blocked():
    def of(call):
        solar = int(call.caller[-4:]) % 6 == 1
        return {
            "campaign": "solar" if solar else "support",
            "label": call.caller,
            "lead_source": "fair",
            "tags": ("east", "new") if solar else ("east",),
        }

    def blocked(call):
        return 0.5 if call.campaign == "solar" else strays(call)

    calls = called(callers=48, networks=10, days=10, blocked=blocked, named=of)
    found = clusters(calls)
    assert {("campaign", "solar", None), ("tag", "new", None)} == set(found)
    solar = found["campaign", "solar", None]
    assert (8, 8, 0, 40, "numbers") == (solar.hits, solar.total, solar.other_hits, solar.other_total, solar.of)


def test_a_thousand_calls_of_one_blocked_number_are_no_pattern_of_its_campaign():
    def of(call):
        return {"campaign": "solar" if int(call.caller[-4:]) < 4 else "support"}

    calls = called(
        callers=24, networks=10, days=30, blocked=lambda c: 0.9 if c.caller == BLOCKED_ONE else 0.0, named=of
    )
    assert {} == clusters(calls)


def test_a_network_that_blocks_most_numbers_in_trouble_is_told_of_the_fleet():
    def blocked(call):
        return 0.5 if int(call.caller[-4:]) < 12 and call.network == "network-07" else strays(call)

    calls = called(callers=40, networks=20, days=15, blocked=blocked)
    fleet = clusters(calls, caller=None)
    assert {("network", "network-07", None)} == set(fleet)
    assert 10 <= fleet["network", "network-07", None].hits


def test_numbers_that_are_each_blocked_elsewhere_are_no_pattern_of_the_fleet():
    def blocked(call):
        return 0.6 if call.network == f"network-{int(call.caller[-4:]) % 10:02}" else strays(call)

    calls = called(callers=30, networks=10, days=20, blocked=blocked)
    assert {} == clusters(calls, caller=None)
    assert 25 <= len(clusters(calls))


def test_an_afternoon_on_which_all_numbers_are_blocked_is_no_pattern_of_the_fleet():
    def blocked(call):
        return 0.95 if day_of(call) == 20 and call.started_at.hour == 20 else strays(call)

    assert {} == clusters(called(callers=40, networks=10, days=25, blocked=blocked), caller=None)


def test_a_block_that_is_over_is_no_signal_any_more():
    calls = called(
        callers=5, networks=10, days=90, blocked=lambda c: one_on("network-02")(c) if day_of(c) < 30 else 0.0
    )
    assert State.CLEAN is next(
        one.standing for one in standings(calls) if (one.caller, one.network) == (BLOCKED_ONE, "network-02")
    )
    assert {} == clusters(calls)
    until_then = [call for call in calls if day_of(call) < 30]
    assert {("network", "network-02", BLOCKED_ONE)} == set(clusters(until_then))


def test_of_two_blocks_the_one_that_is_over_is_left_out():
    def blocked(call):
        then, now = one_on("network-02")(call), one_on("network-05", since=60)(call)
        return then if day_of(call) < 30 else now if day_of(call) >= 60 else 0.0

    calls = called(callers=5, networks=10, days=90, blocked=blocked)
    assert {("network", "network-05", BLOCKED_ONE)} == set(clusters(calls))


def test_numbers_that_are_blocked_always_and_everywhere_name_no_network():
    assert {} == clusters(called(callers=12, networks=5, days=10, blocked=lambda _: 1.0))


def test_a_campaign_of_a_few_calls_does_not_belong_to_the_number():
    def of(call):
        return {"campaign": "pilot"} if int(call.caller[-4:]) < 8 and day_of(call) == 9 else {}

    def blocked(call):
        return 0.6 if int(call.caller[-4:]) < 8 else strays(call)

    assert {} == clusters(called(callers=40, networks=10, days=12, blocked=blocked, named=of))


def test_without_standings_what_belongs_to_numbers_is_not_compared():
    def of(call):
        return {"campaign": "solar" if int(call.caller[-4:]) < 8 else "support"}

    calls = called(callers=24, networks=5, days=10, blocked=lambda c: 0.6 if c.campaign == "solar" else 0.0, named=of)
    assert {None} == {one.caller for one in signals_of(calls) if one.dimension == "campaign"}
    assert [] == [one for one in find_signals(counted(calls), ()) if one.dimension == "campaign"]


def test_refusals_that_nobody_explains_are_no_blocks():
    def silent(call):
        return 0.5 if call.network == "network-07" else 0.0

    calls = called(callers=10, networks=10, days=20, silent=silent)
    assert Disposition.REJECTED_AMBIGUOUS in {call.disposition for call in calls}
    assert {} == clusters(calls)
