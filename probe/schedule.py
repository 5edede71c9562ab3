"""A schedule in, the moments at which its rounds start out; and the one tick that asks what is due.

APScheduler's triggers do the sums of calendars. Its scheduler runs a single job, the tick: a job for each phone number
would be a second place that decides who is rung.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, SchedulerEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from probe.scenario.scenario import Calendar, Schedule

TICK_S = 1
# An interval counts from here, so that a restart finds the same moments.
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_GRACE_S = 5  # a tick that comes later than this was missed
_STEP_S = 2.0  # the wall clock was set: it differs so much from the steady one
_SOONEST = timedelta(microseconds=1)
_TROUBLE = {
    EVENT_JOB_MISSED: "tick_missed",
    EVENT_JOB_MAX_INSTANCES: "tick_overlapped",
    EVENT_JOB_ERROR: "tick_failed",
}

# It logs each tick that comes late; what matters of that is recorded through `on_trouble`.
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

OnTrouble = Callable[[str, datetime, str], None]


def next_start(schedule: Schedule, after: datetime) -> datetime | None:
    """Say when the first round after a moment starts, in UTC; None when there is none any more.

    Cron and calendar mean the wall clock: a time that the spring change leaves out is left out, and one that the
    autumn change repeats counts once, the first time.
    """
    if schedule.every_s is not None:
        every: datetime = IntervalTrigger(seconds=schedule.every_s, start_date=_EPOCH, timezone=UTC).get_next_fire_time(
            None, after + _SOONEST
        )
        return every
    zone = ZoneInfo(schedule.timezone)
    there = after.astimezone(zone).replace(tzinfo=UTC)
    moments = (_moment(wall, zone) for wall in _walls(schedule, there))
    return next((moment for moment in moments if moment is not None and moment > after), None)


def starts_between(schedule: Schedule, after: datetime, until: datetime, most: int) -> tuple[datetime, ...]:
    """List the starts after one moment and up to another, at the most so many: the latest ones."""
    if schedule.every_s is not None:
        after = max(after, until - most * timedelta(seconds=schedule.every_s))
    found: list[datetime] = []
    start = next_start(schedule, after)
    while start is not None and start <= until:
        found = [*found, start][-most:]
        start = next_start(schedule, start)
    return tuple(found)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """Find when the clocks of a zone show this for the first time; None where they skip it."""
    local = wall.replace(tzinfo=zone, fold=0)
    moment = local.astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None) else None


def _walls(schedule: Schedule, there: datetime) -> Iterator[datetime]:
    """Yield what wall clocks show at the starts from `there` on.

    They are reckoned as if they were in UTC, where no day is odd: in a zone with a spring change CronTrigger leaves
    out the day after it, and fires at times that the line does not name.
    """
    if schedule.calendar is not None:
        yield from _calendar_walls(schedule.calendar, there)
        return
    trigger = _cron(schedule.cron or "")
    wall = trigger.get_next_fire_time(None, there)
    while wall is not None:
        yield wall
        wall = trigger.get_next_fire_time(None, wall + _SOONEST)


def _calendar_walls(calendar: Calendar, there: datetime) -> Iterator[datetime]:
    """Count from the first day on: the trigger knows no other way to a later one."""
    trigger = _calendar(calendar)
    wall = trigger.get_next_fire_time(None, there)
    while wall is not None:
        if wall >= there:
            yield wall
        wall = trigger.get_next_fire_time(wall, there)


@lru_cache(maxsize=64)
def _cron(line: str) -> CronTrigger:
    return CronTrigger.from_crontab(line, timezone=UTC)


@lru_cache(maxsize=64)
def _calendar(calendar: Calendar) -> CalendarIntervalTrigger:
    return CalendarIntervalTrigger(
        months=calendar.months,
        weeks=calendar.weeks,
        days=calendar.days,
        hour=calendar.at // 60,
        minute=calendar.at % 60,
        start_date=calendar.since,
        timezone=UTC,
    )


class _EverySecond(BaseTrigger):  # type: ignore[misc] # apscheduler has no types
    """A second from now, at once at first. IntervalTrigger would list every second that a step of the clock jumped."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now + timedelta(seconds=TICK_S) if previous else now


async def tick_until(stopping: asyncio.Event, tick: Callable[[], Awaitable[None]], on_trouble: OnTrouble) -> None:
    """Tick every second until `stopping` is set.

    `on_trouble` hears the kind, the moment and, where known, the reason of ticks that were late, overlapped or
    failed, and of steps of the wall clock.
    """
    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(tick, _EverySecond(), id="tick", coalesce=True, max_instances=1, misfire_grace_time=_GRACE_S)

    def hear(event: SchedulerEvent) -> None:
        times = getattr(event, "scheduled_run_times", None) or [getattr(event, "scheduled_run_time", None)]
        error = getattr(event, "exception", None)
        on_trouble(_TROUBLE[event.code], times[0], repr(error) if error else "")

    scheduler.add_listener(hear, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR)
    scheduler.start()
    try:
        await _watch_the_clock(scheduler, stopping, on_trouble)
    finally:
        scheduler.shutdown(wait=False)


async def _watch_the_clock(scheduler: AsyncIOScheduler, stopping: asyncio.Event, on_trouble: OnTrouble) -> None:
    """Set the next tick anew when the wall clock is set: after a step back it would be an hour away."""
    offset = time.time() - time.monotonic()
    while not stopping.is_set():
        try:
            await asyncio.wait_for(stopping.wait(), TICK_S)
        except TimeoutError:
            ahead = time.time() - time.monotonic() - offset
            if abs(ahead) > _STEP_S:
                on_trouble("clock_stepped", datetime.now(UTC), f"the wall clock was set {ahead:+.0f} s")
                scheduler.modify_job("tick", next_run_time=datetime.now(UTC))
            offset += ahead
