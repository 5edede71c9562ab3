"""Attempts and pauses in, the past as guard and plan ask for it out: by caller, by callee, by trunk, by day, by round.

An attempt counts from the moment it is written, whatever became of it; what the guard refused is no attempt.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import TypeVar

from probe.call import LOCAL

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

DAY = timedelta(days=1)
# The newest attempts over a trunk that are looked at for its breaker.
NEWEST = 40

_MINUTE_MS = 60_000
# How much longer than its hold a call may talk, until its BYE is answered.
_BYE_MS = 1_000
# What setting up and clearing a call may take on top of ringing and holding.
_SLACK = timedelta(seconds=60)
# Until the call has ended, its INVITE may have left so much later than its attempt was written: the writer may have
# waited for the store, and the user agent for a line.
_LEAVES_WITHIN = timedelta(seconds=10)
_UNSURE = frozenset({None, "lost"})


class PauseKind(StrEnum):
    """What is paused."""

    NUMBER = "number"
    TRUNK = "trunk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A call that was begun. What is not known before its end is None until then.

    `talk_ms` is the talk that counts: the longest possible until the call has ended. `definitive` says that the far
    end answered 607, 608 or a conformant 603+.
    """

    call_id: str
    at: datetime
    caller: str
    callee: str
    trunk: str
    plan_key: str
    scenario: str | None = None
    round: str | None = None
    ring_limit_ms: int = 25_000
    hold_ms: int = 6_000
    control_of: str | None = None
    ended_at: datetime | None = None
    ending: str | None = None
    disposition: str | None = None
    status: int | None = None
    definitive: bool = False
    talk_ms: int = 0
    site: str = LOCAL

    @property
    def counts_from(self) -> datetime:
        """The latest moment at which its INVITE may have left."""
        return self.at + _LEAVES_WITHIN if self.ending in _UNSURE else self.at

    @property
    def over_by(self) -> datetime:
        """When the call has ended, or must have."""
        return self.ended_at or self.at + timedelta(milliseconds=self.ring_limit_ms + self.hold_ms) + _SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A number or a trunk over which nothing is dialled until somebody resumes it."""

    kind: PauseKind
    name: str
    since: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a trunk or a scenario has used in 24 hours; `minutes` are started minutes of talk."""

    calls: int = 0
    talk_ms: int = 0
    minutes: int = 0
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyPlanned:
    """The planned call stands in the store already, as an attempt or as a refusal: it is never dialled again."""

    plan_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The past, as far as somebody needs it; what is left out has to be out of every question that is asked of it.

    `callers`, `callees`: the attempts of each number. `trunks`: the newest of each trunk, newest first. `used`: by
    ("trunk", name) and ("scenario", name). `rounds`: the attempts of each open round. `refused`: the plan keys of
    its calls that were refused.
    """

    callers: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    callees: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    trunks: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    used: Mapping[tuple[str, str], Used] = field(default_factory=dict)
    rounds: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    pauses: tuple[Pause, ...] = ()


NOTHING = History()


def history_of(
    attempts: Iterable[Attempt], *, now: datetime, pauses: Iterable[Pause] = (), refused: Iterable[str] = ()
) -> History:
    """Sort the attempts so that each question is one look-up."""
    ordered = sorted(attempts, key=attrgetter("at"))
    trunks = _grouped((attempt.trunk, attempt) for attempt in ordered)
    return History(
        callers=_grouped((attempt.caller, attempt) for attempt in ordered),
        callees=_grouped((attempt.callee, attempt) for attempt in ordered),
        trunks={name: theirs[: -NEWEST - 1 : -1] for name, theirs in trunks.items()},
        used=_used([attempt for attempt in ordered if attempt.at > now - DAY]),
        rounds=_grouped((attempt.round, attempt) for attempt in ordered if attempt.round),
        refused=frozenset(refused),
        pauses=tuple(pauses),
    )


def longest_talk_ms(hold_ms: int) -> int:
    """Say how long a call that is held so long may talk."""
    return hold_ms + _BYE_MS


def started_minutes(talk_ms: int) -> int:
    """Count the minutes that talk is billed as: each that was started."""
    return -(-talk_ms // _MINUTE_MS)


def _used(attempts: Iterable[Attempt]) -> dict[tuple[str, str], Used]:
    theirs: defaultdict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        theirs["trunk", attempt.trunk].append(attempt)
        if attempt.scenario is not None:
            theirs["scenario", attempt.scenario].append(attempt)
    return {
        key: Used(
            calls=len(found),
            talk_ms=sum(attempt.talk_ms for attempt in found),
            minutes=sum(started_minutes(attempt.talk_ms) for attempt in found),
            oldest_at=found[0].at,
        )
        for key, found in theirs.items()
    }


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> Mapping[_Key, tuple[_Value, ...]]:
    groups: defaultdict[_Key, list[_Value]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return MappingProxyType({key: tuple(values) for key, values in groups.items()})
