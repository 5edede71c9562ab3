"""Judged calls in, the standing of each caller ID per network and as a whole out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from probe.call import Ending
from probe.health.evidence import Evidence, evidence_of, wilson
from probe.health.sequential import State, Step, state_of
from probe.judged import JudgedCall
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
    """What ties blocks together: with probability `p` it is chance."""

    kind: str
    dimension: str
    value: str
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one caller ID on one network, or as a whole (`network` None).

    `judged` counts the calls that can speak: blocked, or through to the called party (`declined` are among those).
    `suspected` and `inconclusive` calls stand beside them, in no share; guarded calls and ambiguous ones count nowhere.
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


_SEVERITY: Final = (State.UNKNOWN, State.CLEAN, State.RECOVERING, State.SUSPECT, State.BLOCKED)


def assess(calls: Sequence[JudgedCall]) -> tuple[Standing, ...]:
    """Give the standing of every caller ID that was called with: one for each network, then one as a whole.

    The state comes from a sequential test (`probe.health.sequential`). As a whole, a caller ID stands as on its worst
    network, or as all its calls together say if that is worse: a mean over carriers would hide a block on one of them.
    """
    placed = sorted((call for call in calls if call.record.ending is not Ending.GUARDED), key=_started)
    by_caller = _grouped(placed, lambda call: call.record.request.caller)
    return tuple(standing for caller, theirs in sorted(by_caller.items()) for standing in _of_caller(caller, theirs))


def _started(call: JudgedCall) -> datetime:
    return call.record.started_at


def _grouped(calls: Iterable[JudgedCall], key: Callable[[JudgedCall], str]) -> dict[str, list[JudgedCall]]:
    groups: dict[str, list[JudgedCall]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    return groups


def _of_caller(caller: str, calls: Sequence[JudgedCall]) -> list[Standing]:
    known = [call for call in calls if call.record.request.network]
    by_network = _grouped(known, lambda call: call.record.request.network or "")
    networks = [_standing(caller, network, theirs) for network, theirs in sorted(by_network.items())]
    whole = _standing(caller, None, calls)
    worst = max([whole, *networks], key=lambda standing: _SEVERITY.index(standing.standing))
    return [*networks, replace(whole, standing=worst.standing, since=worst.since)]


def _standing(caller: str, network: str | None, calls: Sequence[JudgedCall]) -> Standing:
    evidence = Counter(evidence_of(call.verdict.disposition) for call in calls)
    dispositions = Counter(call.verdict.disposition for call in calls)
    blocked = evidence[Evidence.BLOCKED]
    judged = blocked + evidence[Evidence.THROUGH]
    state, since = state_of(_steps(calls))
    return Standing(
        caller=caller,
        network=network,
        standing=state,
        since=since or _started(calls[0]),
        judged=judged,
        blocked=blocked,
        blocked_share=blocked / judged if judged else None,
        interval=wilson(blocked, judged) if judged else None,
        declined=dispositions[Disposition.USER_DECLINED],
        suspected=evidence[Evidence.SUSPECTED],
        inconclusive=dispositions[Disposition.INCONCLUSIVE],
        last_call_at=_started(calls[-1]),
        notices=_folded(calls),
    )


_WEIGHED: Final = {Evidence.BLOCKED: True, Evidence.THROUGH: False, Evidence.SUSPECTED: None}


def _steps(calls: Iterable[JudgedCall]) -> Iterator[Step]:
    for call in calls:
        evidence = evidence_of(call.verdict.disposition)
        if evidence in _WEIGHED:
            yield Step(at=_started(call), blocked=_WEIGHED[evidence])


def _folded(calls: Iterable[JudgedCall]) -> tuple[NoticeSeen, ...]:
    """One entry for each set of contacts and location, in order of first sight."""
    folded: dict[tuple[str | None, ...], NoticeSeen] = {}
    for call in calls:
        notice, at = call.notice, _started(call)
        if notice is None:
            continue
        key = (notice.url, notice.tel, notice.email, notice.location)
        before = folded.get(key)
        folded[key] = NoticeSeen(
            url=notice.url,
            tel=notice.tel,
            email=notice.email,
            id=notice.id or (before.id if before else None),
            location=notice.location,
            first_seen=before.first_seen if before else at,
            last_seen=at,
            count=before.count + 1 if before else 1,
        )
    return tuple(folded.values())
