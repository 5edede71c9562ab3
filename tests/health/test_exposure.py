import pytest
from observed import called, counted, day_of

from probe.health.counted import Counted
from probe.health.exposure import Exposure
from probe.health.tally import Dimension


def crowding(calls, dimension, value):
    found = Counted(counted(calls))
    (caller,) = found.callers.values()
    return Exposure(found.routes, found.networks).crowding(dimension, value, caller.days)


def late(call):
    return 0.5 if day_of(call) >= 15 else 0.0


def test_what_is_called_each_day_alike_is_not_crowded():
    calls = called(callers=1, networks=4, lines=2, days=20, blocked=late)
    for dimension, value in [("network", "network-01"), ("trunk", "carrier-a"), ("destination", "+12125550101")]:
        assert pytest.approx(1.0) == crowding(calls, Dimension(dimension), value)


def test_what_is_called_on_blocked_days_alone_is_crowded():
    calls = called(callers=1, networks=4, days=20, blocked=late)
    grown = [call for call in calls if call.network != "network-03" or day_of(call) >= 15]
    # A quarter of the calls of each blocked day, but 5 of 65 calls of all days.
    assert pytest.approx((1 / 4) / (5 / 65)) == crowding(grown, Dimension.NETWORK, "network-03")
    assert 1.0 > crowding(grown, Dimension.NETWORK, "network-01")


def test_a_destination_is_held_against_its_network():
    calls = called(callers=1, networks=2, lines=2, days=20, blocked=late)
    grown = [call for call in calls if call.network != "network-01" or day_of(call) >= 15]
    assert pytest.approx(1.0) == crowding(grown, Dimension.DESTINATION, "+12125550101")


def test_of_what_nobody_called_nothing_is_known():
    assert 1.0 == crowding(called(callers=1, networks=2, days=5), Dimension.NETWORK, "att")
    assert 1.0 == crowding(called(callers=1, networks=2, days=5), Dimension.CAMPAIGN, "solar")
