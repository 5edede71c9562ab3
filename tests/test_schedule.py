"""When rounds start: time zones, both changes of the clocks, restarts; and the tick, whatever the clock does."""

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from probe import schedule as clock
from probe.scenario.scenario import Calendar, Schedule
from probe.schedule import next_start, starts_between, tick_until

NEW_YORK = "America/New_York"
SANTIAGO = "America/Santiago"
LORD_HOWE = "Australia/Lord_Howe"  # its clocks change by half an hour
# The day on which the clocks go forward, the day on which they go back, and the wall-clock hours that the first lacks.
CHANGES = {
    NEW_YORK: (date(2026, 3, 8), date(2026, 11, 1), {2}),
    SANTIAGO: (date(2026, 9, 6), date(2026, 4, 4), {0}),
    "Australia/Sydney": (date(2026, 10, 4), date(2026, 4, 5), {2}),
}


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def walls(schedule, since, until):
    """What the clocks of its zone show at the starts in between."""
    zone = ZoneInfo(schedule.timezone)
    starts = starts_between(schedule, utc(since), utc(until), 10_000)
    assert list(starts) == sorted(set(starts))
    return [f"{start.astimezone(zone):%m-%d %H:%M}" for start in starts]


def of_day(schedule, day):
    """What the clocks show at the starts of one local day."""
    begin = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(schedule.timezone)).astimezone(UTC)
    starts = starts_between(schedule, begin - timedelta(hours=3), begin + timedelta(hours=30), 10_000)
    there = [start.astimezone(ZoneInfo(schedule.timezone)) for start in starts]
    return [f"{one:%H:%M}" for one in there if one.date() == day]


@pytest.mark.parametrize(
    ("line", "after", "start"),
    [
        ("0 9 * * mon-fri", "2026-11-20T15:00", "2026-11-23T14:00"),  # from Friday to Monday
        ("0 9 * * sun", "2026-11-20T15:00", "2026-11-22T14:00"),
        ("*/15,59 10-18/2 1 jan-mar,12 *", "2026-11-20T15:00", "2026-12-01T15:00"),
        ("0 9 29 2 *", "2026-11-20T15:00", "2028-02-29T14:00"),
    ],
)
def test_a_cron_line_means_the_clocks_of_its_zone(line, after, start):
    assert utc(start) == next_start(Schedule(cron=line, timezone=NEW_YORK), utc(after))


def test_a_day_that_never_comes_has_no_start():
    assert next_start(Schedule(cron="0 9 30 2 *"), utc("2026-11-20T15:00")) is None


def test_the_next_start_is_never_the_moment_itself():
    every_hour = Schedule(cron="0 * * * *")
    assert utc("2026-11-20T16:00") == next_start(every_hour, utc("2026-11-20T15:00"))


@pytest.mark.parametrize(("zone", "days"), CHANGES.items())
def test_each_hour_that_the_clocks_show_comes_once_when_they_go_forward(zone, days):
    forward, _, missing = days
    hours = of_day(Schedule(cron="0 * * * *", timezone=zone), forward)
    assert [f"{hour:02}:00" for hour in range(24) if hour not in missing] == hours


@pytest.mark.parametrize(("zone", "days"), CHANGES.items())
def test_each_hour_that_the_clocks_show_comes_once_when_they_go_back(zone, days):
    _, back, _ = days
    assert [f"{hour:02}:00" for hour in range(24)] == of_day(Schedule(cron="0 * * * *", timezone=zone), back)


def test_a_change_of_half_an_hour_repeats_nothing_and_leaves_out_what_is_not_shown():
    half_hourly = Schedule(cron="0,30 0-3 * * *", timezone=LORD_HOWE)
    every = [f"{hour:02}:{minute:02}" for hour in range(4) for minute in (0, 30)]
    assert [time for time in every if time != "02:00"] == of_day(half_hourly, date(2026, 10, 4))
    assert every == of_day(half_hourly, date(2026, 4, 5))


@pytest.mark.parametrize(("zone", "days"), CHANGES.items())
@pytest.mark.parametrize("hour", range(24))
def test_a_daily_round_comes_every_day_but_where_its_time_does_not_exist(zone, days, hour):
    daily = Schedule(cron=f"30 {hour} * * *", timezone=zone)
    forward, back, missing = days
    for day in (forward, back):
        week = [day + timedelta(days=n) for n in range(-3, 4)]
        expected = [f"{hour:02}:30" for one in week if not (one == forward and hour in missing)]
        assert expected == [shown for one in week for shown in of_day(daily, one)]


def test_the_first_of_two_equal_times_is_the_one():
    daily = Schedule(cron="30 1 * * *", timezone=NEW_YORK)
    assert utc("2026-11-01T05:30") == next_start(daily, utc("2026-11-01T00:00"))
    # Whoever asks between the two does not get the second.
    assert utc("2026-11-02T06:30") == next_start(daily, utc("2026-11-01T06:10"))


def test_a_daily_calendar_round_keeps_its_time_of_day_over_both_changes():
    daily = Schedule(calendar=Calendar(since=date(2020, 1, 1), at=9 * 60 + 30, days=1), timezone=NEW_YORK)
    assert ["03-07 09:30", "03-08 09:30", "03-09 09:30"] == walls(daily, "2026-03-07T06:00", "2026-03-10T06:00")
    assert ["10-31 09:30", "11-01 09:30", "11-02 09:30"] == walls(daily, "2026-10-31T06:00", "2026-11-03T06:00")
    at_two = Schedule(calendar=Calendar(since=date(2020, 1, 1), at=2 * 60 + 30, days=1), timezone=NEW_YORK)
    assert ["03-07 02:30", "03-09 02:30"] == walls(at_two, "2026-03-07T06:00", "2026-03-10T05:00")


def test_a_calendar_counts_from_its_first_day():
    fortnightly = Schedule(calendar=Calendar(since=date(2026, 1, 5), at=600, weeks=2))
    assert ["01-05 10:00", "01-19 10:00", "02-02 10:00"] == walls(fortnightly, "2025-12-01T00:00", "2026-02-03T00:00")
    monthly = Schedule(calendar=Calendar(since=date(2026, 1, 31), at=600, months=1))
    assert ["01-31 10:00", "03-31 10:00", "05-31 10:00"] == walls(monthly, "2026-01-01T00:00", "2026-06-01T00:00")


@pytest.mark.parametrize("every_s", [1, 7, 90, 3600, 86_400])
def test_an_interval_finds_the_same_moments_after_a_restart(every_s):
    schedule = Schedule(every_s=every_s)
    began = utc("2026-11-22T10:00")
    through = starts_between(schedule, began, began + timedelta(seconds=20 * every_s), 100)
    later = began + timedelta(seconds=8 * every_s, microseconds=431)
    assert [start for start in through if start > later] == list(
        starts_between(schedule, later, began + timedelta(seconds=20 * every_s), 100)
    )
    assert {timedelta(seconds=every_s)} == {later - earlier for earlier, later in pairwise(through)}


@pytest.mark.parametrize("schedule", [Schedule(every_s=10), Schedule(cron="* * * * *")])
def test_of_many_starts_the_latest_are_listed(schedule):
    until = utc("2026-11-22T10:00")
    found = starts_between(schedule, until - timedelta(days=1), until, 3)
    assert 3 == len(found)
    assert until == found[-1]


def test_a_year_of_seconds_is_not_counted_one_by_one():
    until, began = utc("2026-11-22T10:00"), time.process_time()
    assert 500 == len(starts_between(Schedule(every_s=1), until - timedelta(days=365), until, 500))
    assert time.process_time() - began < 1.0


# The tick.


@pytest.fixture
def quick(monkeypatch):
    """Tick ten times a second, or the tests take minutes."""
    monkeypatch.setattr(clock, "TICK_S", 0.1)


class Wall:
    """A wall clock that a test can set."""

    def __init__(self, monkeypatch):
        self.ahead = 0.0
        real_time, wall = time.time, self

        class Moments(datetime):
            @classmethod
            def now(cls, tz=None):
                return cls.fromtimestamp(real_time() + wall.ahead, tz)

        for module in ("apscheduler.schedulers.base", "apscheduler.executors.base", "probe.schedule"):
            monkeypatch.setattr(f"{module}.datetime", Moments)
        monkeypatch.setattr(clock.time, "time", lambda: real_time() + wall.ahead)


def ticking(tick, *, ticks=3, seconds=8.0):
    """Run until so many ticks began; give what `on_trouble` heard."""
    heard, began = [], []

    async def go():
        stopping, enough = asyncio.Event(), asyncio.Event()

        async def counted():
            began.append(time.monotonic())
            if len(began) >= ticks:
                enough.set()
            await tick(len(began))

        running = asyncio.create_task(tick_until(stopping, counted, lambda *words: heard.append(words)))
        await asyncio.wait_for(enough.wait(), seconds)
        stopping.set()
        await running

    asyncio.run(go())
    return heard, began


async def nothing(_count):
    """A tick with nothing to do."""


def test_a_tick_comes_at_once_and_every_second():
    heard, began = ticking(nothing, ticks=3)
    assert [] == heard
    assert 1.8 <= began[2] - began[0] <= 3.5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("step_s", [-3600, 86_400, 56 * 365 * 86_400])
def test_the_tick_goes_on_when_the_clock_is_set(monkeypatch, step_s):
    wall = Wall(monkeypatch)

    async def set_the_clock(count):
        if count == 1:
            wall.ahead += step_s

    heard, _ = ticking(set_the_clock, ticks=4)
    stepped = [why for kind, _, why in heard if kind == "clock_stepped"]
    assert [f"the wall clock was set {step_s:+d} s"] == stepped


@pytest.mark.usefixtures("quick")
def test_a_tick_that_fails_is_told_with_its_reason_and_the_next_one_comes():
    async def fail_once(count):
        if count == 1:
            raise RuntimeError("the roof is on fire")

    heard, _ = ticking(fail_once, ticks=3)
    assert [("tick_failed", "RuntimeError('the roof is on fire')")] == [(kind, why) for kind, _, why in heard]
    assert heard[0][1].tzinfo is not None


@pytest.mark.usefixtures("quick")
def test_a_tick_that_takes_long_is_not_started_beside_itself():
    under_way = []

    async def slow(count):
        under_way.append(count)
        assert 1 == len(under_way)
        await asyncio.sleep(0.5 if count == 1 else 0)
        under_way.pop()

    heard, _ = ticking(slow, ticks=2)
    assert {"tick_overlapped"} == {kind for kind, _, _ in heard}


@pytest.mark.usefixtures("quick")
def test_a_tick_that_comes_too_late_is_told(monkeypatch):
    monkeypatch.setattr(clock, "_GRACE_S", 1)

    async def hold_the_loop_up(count):
        if count == 1:
            time.sleep(1.6)  # noqa: ASYNC251 - this is the fault under test

    heard, _ = ticking(hold_the_loop_up, ticks=2)
    assert "tick_missed" in {kind for kind, _, _ in heard}


@pytest.mark.usefixtures("quick")
def test_the_scheduler_has_one_job_whatever_there_is_to_ring(monkeypatch):
    jobs = []
    monkeypatch.setattr(
        AsyncIOScheduler,
        "add_job",
        lambda self, *a, _add=AsyncIOScheduler.add_job, **k: jobs.append(_add(self, *a, **k)),
    )
    ticking(nothing, ticks=2)
    assert ["tick"] == [job.id for job in jobs]
