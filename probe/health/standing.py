"""What is known of a caller ID: its `Standing` per network and as a whole, with notices and signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from probe.health.sequential import State
from probe.verdict import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSeen:
    """One notice, folded over the calls that carried it. `id` is the last one: some blockers number each call."""

    url: str | None
    tel: str | None
    email: str | None
    id: str | None
    location: str | None
    first_seen: datetime
    last_seen: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What ties blocks together: with probability `p` it is chance, after correction for all that was looked at.

    `hits` of `total` calls (or numbers, where `of` says so) have it, and `other_hits` of `other_total` without it.
    `caller` is None where it speaks of all caller IDs; `since` stands with a change; `control` is a caller ID that gets
    through where this one is blocked in silence.
    """

    kind: str
    dimension: str
    value: str
    p: float
    caller: str | None = None
    network: str | None = None
    hits: int = 0
    total: int = 0
    other_hits: int = 0
    other_total: int = 0
    since: datetime | None = None
    of: str = "calls"
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one caller ID on one network, or as a whole (`network` None).

    `judged` counts the calls that can speak: blocked, or through to the called party (`declined` are among those).
    A refusal that a control call settled against the number counts among the blocked. `suspected` and `inconclusive`
    calls stand beside them, in no share; guarded calls count nowhere. `refused_ms` is the median time from the INVITE
    to the final response of the calls that count as blocked. `calls` are the last that were judged or suspected, in the
    order in which that was known.
    """

    caller: str
    network: str | None
    standing: State
    since: datetime
    judged: int
    blocked: int
    blocked_share: float | None
    interval: tuple[float, float] | None
    declined: int
    suspected: int
    inconclusive: int
    last_call_at: datetime
    notices: tuple[NoticeSeen, ...]
    signals: tuple[Signal, ...] = ()
    declined_share: float | None = None
    refused_ms: float | None = None
    dispositions: Mapping[Disposition, int]
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A standing that a call changed; `before` is None for a number that was never called. `reminder`: it lasts."""

    before: Standing | None
    after: Standing
    calls: tuple[str, ...]
    reminder: bool = False
