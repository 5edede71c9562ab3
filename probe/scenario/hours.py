"""A number and a moment in; whether its phone may ring then, and when it next may, out.

The clock is that of the called party (47 CFR 64.1200(c)(1)). A number that may be in one of several zones has to be
within the hours in all of them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

from probe.scenario.scenario import Limits

_FARTHEST_DAYS = 400  # beyond a year of holidays, nothing opens any more
_MOST_STEPS = 800


@lru_cache(maxsize=4096)
def zones_of(number: str) -> tuple[str, ...]:
    """Return the time zones in which a number may be, by its numbering plan; none when nobody can tell."""
    try:
        zones = time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ()
    return () if UNKNOWN_TIMEZONE in zones else tuple(zones)


def closed_by(at: datetime, zones: Iterable[str], limits: Limits) -> tuple[str, str] | None:
    """Return the rule that keeps a phone quiet at this moment and what it is there, or None."""
    for name in zones:
        there = at.astimezone(ZoneInfo(name))
        clock = f"it is {there:%a %Y-%m-%d %H:%M} in {name}"
        if there.date() in limits.holidays:
            return "holiday", f"{clock}, a holiday"
        if there.weekday() not in limits.weekdays:
            return "weekday", f"{clock}, a day without calls"
        if not limits.hours.opens <= there.hour * 60 + there.minute < limits.hours.closes:
            return "hours", f"{clock}, outside {_clock(limits.hours.opens)}-{_clock(limits.hours.closes)}"
    return None


def next_open(at: datetime, zones: tuple[str, ...], limits: Limits) -> datetime | None:
    """Return the first moment, from `at` on, at which the phone may ring in every zone; None if there is none."""
    for _ in range(_MOST_STEPS):
        shut = next((name for name in zones if closed_by(at, (name,), limits)), None)
        if shut is None:
            return at
        opening = _next_opening(at, shut, limits)
        if opening is None:
            return None
        at = opening
    return None


def _next_opening(at: datetime, zone: str, limits: Limits) -> datetime | None:
    """Return the next time that the hours begin on a day with calls. Where clocks skip it, they begin after the gap."""
    today = at.astimezone(ZoneInfo(zone)).date()
    hour, minute = divmod(limits.hours.opens, 60)
    for days in range(_FARTHEST_DAYS):
        day = today + timedelta(days=days)
        opening = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if opening > at and not closed_by(opening, (zone,), limits):
            return opening
    return None


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
