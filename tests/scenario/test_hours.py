"""Hours at the called party: zones, clock changes, days without calls."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.scenario.hours import closed_by, next_open, zones_of
from probe.scenario.scenario import Hours, Limits

NEW_YORK = ("America/New_York",)
NINE_TO_EIGHT = Limits()


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def limits(opens, closes, **more):
    return Limits(hours=Hours(opens=opens, closes=closes), **more)


# Friday 2026-11-20; New York is UTC-5, Phoenix UTC-7 all year, Kolkata UTC+5:30, Kathmandu UTC+5:45.
OPEN = [
    (NEW_YORK, utc(2026, 11, 20, 13, 59, 59), False),
    (NEW_YORK, utc(2026, 11, 20, 14, 0), True),
    (NEW_YORK, utc(2026, 11, 21, 0, 59, 59), True),
    (NEW_YORK, utc(2026, 11, 21, 1, 0), False),
    (("America/Indiana/Indianapolis",), utc(2026, 11, 20, 14, 0), True),
    (("America/Indiana/Tell_City",), utc(2026, 11, 20, 14, 0), False),  # Perry County keeps Central time
    (("America/Phoenix",), utc(2026, 7, 20, 15, 59), False),
    (("America/Phoenix",), utc(2026, 7, 20, 16, 0), True),
    (("America/Phoenix",), utc(2026, 11, 20, 16, 0), True),
    (("America/Denver",), utc(2026, 7, 20, 15, 0), True),
    (("America/St_Johns",), utc(2026, 11, 20, 12, 29), False),
    (("America/St_Johns",), utc(2026, 11, 20, 12, 30), True),
    (("Asia/Kolkata",), utc(2026, 11, 20, 3, 29), False),
    (("Asia/Kolkata",), utc(2026, 11, 20, 3, 30), True),
    (("Asia/Kathmandu",), utc(2026, 11, 20, 3, 15), True),
    (("America/Boise", "America/Los_Angeles"), utc(2026, 11, 20, 16, 30), False),
    (("America/Boise", "America/Los_Angeles"), utc(2026, 11, 20, 17, 0), True),
    (("America/Boise", "America/Los_Angeles"), utc(2026, 11, 21, 3, 0), False),
]


@pytest.mark.parametrize(("zones", "at", "expected"), OPEN)
def test_a_phone_may_ring_within_the_hours_of_every_zone(zones, at, expected):
    assert expected is (closed_by(at, zones, NINE_TO_EIGHT) is None)


ZONES = {
    "+12025550191": ("America/New_York",),
    "+13175550101": ("America/New_York",),  # Indianapolis
    "+16025550101": ("America/Phoenix",),
    "+12085550101": ("America/Boise", "America/Los_Angeles"),
    "+17095550101": ("America/Halifax", "America/St_Johns"),
    "+919812345678": ("Asia/Calcutta",),
    "+883510012345": (),
    "no number": (),
}


@pytest.mark.parametrize(("number", "expected"), ZONES.items())
def test_the_zones_of_a_number_are_those_of_its_numbering_plan(number, expected):
    assert expected == zones_of(number)


def test_a_toll_free_number_may_ring_only_while_it_is_day_from_guam_to_bermuda():
    everywhere = zones_of("+18005550101")
    assert utc(2026, 11, 20, 23) == next_open(utc(2026, 11, 20, 17), everywhere, NINE_TO_EIGHT)
    assert utc(2026, 11, 21, 23) == next_open(utc(2026, 11, 21, 0), everywhere, NINE_TO_EIGHT)


NEXT = [
    (utc(2026, 11, 20, 17), NINE_TO_EIGHT, utc(2026, 11, 20, 17)),
    (utc(2026, 11, 20, 3), NINE_TO_EIGHT, utc(2026, 11, 20, 14)),
    (utc(2026, 11, 21, 2), NINE_TO_EIGHT, utc(2026, 11, 21, 14)),
    (utc(2026, 11, 21, 2), limits(540, 1200, weekdays=frozenset(range(5))), utc(2026, 11, 23, 14)),
    (utc(2026, 11, 26, 2), limits(540, 1200, holidays=frozenset({date(2026, 11, 26)})), utc(2026, 11, 27, 14)),
    # The clock springs from 2:00 to 3:00 on 2026-03-08 and falls from 2:00 to 1:00 on 2026-11-01.
    (utc(2026, 3, 8, 6), limits(540, 1200), utc(2026, 3, 8, 13)),
    (utc(2026, 3, 8, 6), limits(150, 300), utc(2026, 3, 8, 7, 30)),
    (utc(2026, 3, 8, 6), limits(150, 170), utc(2026, 3, 9, 6, 30)),
    (utc(2026, 11, 1, 3), limits(540, 1200), utc(2026, 11, 1, 14)),
    (utc(2026, 11, 1, 4, 30), limits(90, 100), utc(2026, 11, 1, 5, 30)),
]


@pytest.mark.parametrize(("at", "asked", "expected"), NEXT)
def test_the_next_opening_is_found_across_days_and_clock_changes(at, asked, expected):
    assert expected == next_open(at, NEW_YORK, asked)


def test_days_that_are_all_holidays_have_no_opening():
    assert next_open(utc(2026, 11, 20, 3), NEW_YORK, limits(540, 1200, weekdays=frozenset())) is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (limits(540, 700), ("hours", "it is Fri 2026-11-20 12:00 in America/New_York, outside 09:00-11:40")),
        (limits(540, 1200, weekdays=frozenset({5})), ("weekday", "it is Fri 2026-11-20 12:00 in America/New_York")),
        (limits(540, 1200, holidays=frozenset({date(2026, 11, 20)})), ("holiday", "it is Fri 2026-11-20 12:00 in")),
    ],
)
def test_what_keeps_a_phone_quiet_is_said_by_its_own_clock(asked, expected):
    rule, why = closed_by(utc(2026, 11, 20, 17), NEW_YORK, asked)
    assert expected[0] == rule
    assert why.startswith(expected[1])


@given(
    st.integers(0, 365 * 24 * 60).map(lambda minutes: utc(2026, 1, 1) + timedelta(minutes=minutes)),
    st.sampled_from([NEW_YORK, ("Europe/Berlin",), ("America/Boise", "America/Los_Angeles"), ("Australia/Lord_Howe",)]),
    st.integers(0, 1439).flatmap(lambda opens: st.tuples(st.just(opens), st.integers(opens + 1, 1440))),
)
def test_an_opening_is_open_and_not_in_the_past(at, zones, span):
    found = next_open(at, zones, limits(*span))
    assert found is None or (found >= at and closed_by(found, zones, limits(*span)) is None)
