"""A call that is asked for, and the past, in; None out, or the refusal. The only gate before a phone rings.

Each rule is a function that returns what it forbids the call by; the tables at the end give their order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from probe.call import CallRecord, CallRequest, Ending
from probe.phone import barred, normalise
from probe.scenario.breaker import open_breaker
from probe.scenario.buckets import first_full
from probe.scenario.history import DAY, Attempt, History, PauseKind, Used, longest_talk_ms, started_minutes
from probe.scenario.hours import closed_by, next_open, zones_of
from probe.scenario.notation import is_loopback, read_uri
from probe.scenario.scenario import Limits, Rate, Scenario
from probe.trunk import Trunk

# An attempt may count from a little later than it was written (`Attempt.counts_from`).
_MARGIN = timedelta(minutes=1)
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "m"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the user allows: listed callers, destinations with consent, the limits, and where the trunk ends.

    `timezones` are those of the destinations for which the file gives one. `consent` is the reason given by hand for
    a callee on no list. `limits` None stands for `limits: none`.
    """

    callers: frozenset[str] = frozenset()
    destinations: Mapping[str, str] = field(default_factory=dict)
    timezones: Mapping[str, str] = field(default_factory=dict)
    consent: str | None = None
    limits: Limits | None = field(default_factory=Limits)
    trunk_on_loopback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that is not placed: the name of the rule, one sentence that says why, and when to ask again, if known."""

    request: CallRequest
    rule: str
    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Broken:
    rule: str
    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """All that a rule may look at."""

    request: CallRequest
    allowed: Allowed
    limits: Limits
    history: History
    now: datetime
    stopped: bool


_Rule = Callable[[_Asked], _Broken | None]


def check(
    request: CallRequest, *, allowed: Allowed, history: History, now: datetime, stopped: bool = False
) -> Refusal | None:
    """Return the first rule that forbids this call, or None; nothing lifts the list of barred numbers.

    `stopped` says that the stop file is there.
    """
    limits = allowed.limits
    asked = _Asked(
        request=request, allowed=allowed, limits=limits or Limits(), history=history, now=now, stopped=stopped
    )
    for rule in _RULES if limits is None else _RULES + _LIMITS:
        if broken := rule(asked):
            return Refusal(request=request, rule=broken.rule, why=broken.why, until=broken.until)
    return None


def refused_record(refusal: Refusal, now: datetime) -> CallRecord:
    """Return the record of a call that was never placed."""
    return CallRecord(
        request=refusal.request,
        started_at=now,
        ended_at=now,
        ending=Ending.GUARDED,
        detail=f"{refusal.rule}: {refusal.why}",
    )


def allowed_by(scenario: Scenario) -> Allowed:
    """Return what a scenario file allows."""
    control = {scenario.control} if scenario.control else set()
    zones = {destination.number: destination.timezone for destination in scenario.destinations}
    return Allowed(
        callers=frozenset({caller.number for caller in scenario.callers} | control),
        destinations={destination.number: destination.consent for destination in scenario.destinations},
        timezones={number: zone for number, zone in zones.items() if zone},
        limits=scenario.limits,
        trunk_on_loopback=on_loopback(scenario.trunk),
    )


def on_loopback(trunk: Trunk) -> bool:
    """Say whether calls over this trunk, and over its outbound proxy, stay on this machine."""
    hosts = [trunk.host]
    if trunk.outbound_proxy:
        hosts.append(read_uri(trunk.outbound_proxy).host)
    return all(is_loopback(host) for host in hosts)


def reach(limits: Limits | None) -> timedelta | None:
    """Say how far into the past the guard looks: a day, or the longest window of a rate; None where no limit holds."""
    if limits is None:
        return None
    rates = (*limits.per_caller, *limits.per_destination)
    return max(DAY, *(timedelta(seconds=rate.window_s) for rate in rates)) + _MARGIN if rates else DAY


def zones(callee: str, allowed: Allowed) -> tuple[str, ...]:
    """Return the time zones in which a callee may be: the one that the file gives, or those of its number."""
    given = allowed.timezones.get(callee)
    return (given,) if given else zones_of(callee)


def _barred(asked: _Asked) -> _Broken | None:
    callee = asked.request.callee
    found = barred(callee)
    return _Broken(found.rule, f"{callee!a} is never dialled: {found.why}.") if found else None


def _callee_is_no_number(asked: _Asked) -> _Broken | None:
    callee = asked.request.callee
    if normalise(callee) == callee:
        return None
    return _Broken("callee_malformed", f"{callee!a} is not a phone number in full; write it as +12025550199.")


def _no_consent(asked: _Asked) -> _Broken | None:
    callee = asked.request.callee
    consent = asked.allowed.destinations.get(callee) or asked.allowed.consent or ""
    if consent.strip():
        return None
    listing = "list it with its consent, or say with --consent why it may be rung."
    return _Broken("no_consent", f"{callee} stands on no destination list; {listing}")


def _caller_is_no_number(asked: _Asked) -> _Broken | None:
    caller = asked.request.caller
    if normalise(caller) == caller:
        return None
    return _Broken("caller_malformed", f"{caller!a} is not a phone number in full; write it as +12025550101.")


def _caller_is_barred(asked: _Asked) -> _Broken | None:
    caller = asked.request.caller
    found = barred(caller)
    if found is None or found.rule not in {"emergency", "crisis_line"}:
        return None
    return _Broken("caller_barred", f"{caller} never stands as a caller ID: {found.why}.")


def _caller_is_unknown(asked: _Asked) -> _Broken | None:
    caller = asked.request.caller
    if caller in asked.allowed.callers:
        return None
    return _Broken("caller_unlisted", f"{caller} stands on no list of callers; list it if it is assigned to you.")


def _no_limits(asked: _Asked) -> _Broken | None:
    if asked.allowed.limits is not None or asked.allowed.trunk_on_loopback:
        return None
    return _Broken("no_limits", "The trunk leads beyond this machine and has no limits; take `limits: none` out.")


def _stop_file(asked: _Asked) -> _Broken | None:
    return _Broken("stop_file", "The stop file is there; remove it to dial again.") if asked.stopped else None


def _paused(asked: _Asked) -> _Broken | None:
    request = asked.request
    names = {PauseKind.TRUNK: {request.trunk}, PauseKind.NUMBER: {request.caller, request.callee}}
    for pause in asked.history.pauses:
        if pause.name in names[pause.kind]:
            resume = f"resume it with `probe resume {pause.name}`."
            return _Broken(f"paused_{pause.kind}", f"{pause.name} is paused ({pause.why}); {resume}")
    return None


def _pair_was_refused(asked: _Asked) -> _Broken | None:
    """A blocker that named itself is not asked twice in a round (RFC 8197 s1; ATIS-1000099)."""
    request = asked.request
    if request.round is None:
        return None
    for attempt in asked.history.callers.get(request.caller, ()):
        if attempt.definitive and attempt.callee == request.callee and attempt.round == request.round:
            pair = f"{request.callee} from {request.caller}"
            return _Broken(
                "pair_refused", f"{pair} was blocked by a {attempt.status} in this round; it is not retried."
            )
    return None


def _breaker_is_open(asked: _Asked) -> _Broken | None:
    trunk = asked.request.trunk
    opened = open_breaker(asked.history.trunks.get(trunk, ()), asked.now)
    if opened is None:
        return None
    trip, until = opened
    why = trip.why.format(run=trip.run)
    return _Broken(trip.rule, f"The trunk {trunk} {why}; one call may try it again at {_at(until)}.", until)


def _destination_is_busy(asked: _Asked) -> _Broken | None:
    theirs = asked.history.callees.get(asked.request.callee, ())
    under_way = [attempt.over_by for attempt in theirs if attempt.ended_at is None and attempt.over_by > asked.now]
    if not under_way:
        return None
    why = f"{asked.request.callee} is being rung already; a destination takes one call at a time."
    return _Broken("destination_busy", why, max(under_way))


def _in_maintenance(asked: _Asked) -> _Broken | None:
    for window in asked.limits.maintenance:
        if window.starts_at <= asked.now < window.ends_at:
            return _Broken("maintenance", f"Maintenance lasts until {_at(window.ends_at)}.", window.ends_at)
    return None


def _closed(asked: _Asked) -> _Broken | None:
    callee = asked.request.callee
    there = zones(callee, asked.allowed)
    if not there:
        give = "give the destination's timezone."
        return _Broken("timezone_unknown", f"Nobody can tell what time it is at {callee}; {give}")
    closed = closed_by(asked.now, there, asked.limits)
    if closed is None:
        return None
    rule, why = closed
    return _Broken(rule, f"At {callee} {why}.", next_open(asked.now, there, asked.limits))


def _caller_is_full(asked: _Asked) -> _Broken | None:
    caller = asked.request.caller
    return _full("per_caller", caller, asked.history.callers.get(caller, ()), asked.limits.per_caller, asked.now)


def _destination_is_full(asked: _Asked) -> _Broken | None:
    callee, rates = asked.request.callee, asked.limits.per_destination
    return _full("per_destination", callee, asked.history.callees.get(callee, ()), rates, asked.now)


def _full(rule: str, number: str, attempts: Iterable[Attempt], rates: Sequence[Rate], now: datetime) -> _Broken | None:
    full = first_full(sorted(map(attrgetter("counts_from"), attempts)), rates, now)
    if full is None:
        return None
    rate, until = full
    return _Broken(rule, f"{number} has had its {_written(rate)} ({rule}); there is room at {_at(until)}.", until)


def _calls_are_used_up(asked: _Asked) -> _Broken | None:
    most = asked.limits.calls_per_day
    return _used_up(asked, "calls_per_day", f"{most} calls of a day", lambda used: used.calls + 1 > most)


def _minutes_are_used_up(asked: _Asked) -> _Broken | None:
    most, next_ms = asked.limits.minutes_per_day, longest_talk_ms(asked.request.hold_ms)
    what = f"{most} minutes of talk a day"
    return _used_up(asked, "minutes_per_day", what, lambda used: used.talk_ms + next_ms > most * 60_000)


def _money_is_spent(asked: _Asked) -> _Broken | None:
    most, rate = asked.limits.spend_per_day, asked.limits.rate_per_minute
    if most is None or rate is None:
        return None
    minutes = started_minutes(longest_talk_ms(asked.request.hold_ms))
    return _used_up(asked, "spend_per_day", f"{most} a day", lambda used: (used.minutes + minutes) * rate > most)


def _used_up(asked: _Asked, rule: str, what: str, is_too_much: Callable[[Used], bool]) -> _Broken | None:
    """Look at the trunk and at the scenario; what is under way counts with the longest that it may talk."""
    names = (("trunk", asked.request.trunk), ("scenario", asked.request.scenario))
    for kind, name in names:
        used = asked.history.used.get((kind, name or ""), Used())
        if name is not None and is_too_much(used):
            until = used.oldest_at + DAY if used.oldest_at else None
            return _Broken(rule, f"The {kind} {name} has used up its {what} ({rule}).", until)
    return None


def _written(rate: Rate) -> str:
    span, unit = next(((span, unit) for span, unit in _SPANS if rate.window_s % span == 0), (1, "s"))
    return f"{rate.count}/{rate.window_s // span}{unit}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


# These hold for every call, on every trunk.
_RULES: tuple[_Rule, ...] = (
    _barred,  # stays first: above everything that a file or an option can say
    _callee_is_no_number,
    _no_consent,
    _caller_is_no_number,
    _caller_is_barred,
    _caller_is_unknown,
    _no_limits,
    _stop_file,
    _paused,
    _pair_was_refused,
)
# These are what `limits: none` lifts.
_LIMITS: tuple[_Rule, ...] = (
    _breaker_is_open,
    _in_maintenance,
    _closed,
    _destination_is_busy,
    _caller_is_full,
    _destination_is_full,
    _calls_are_used_up,
    _minutes_are_used_up,
    _money_is_spent,
)
