"""Judged calls and rounds in, the events that tell others of them out: pure, the id and the time come in.

Apart from `probe.event`, so that the rooms which only carry events need not know what a verdict is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from probe.call import CallRequest, Ending
from probe.documents import (
    CallDocument,
    ChangeDocument,
    CountsDocument,
    RoundDocument,
    RoundResultDocument,
    call_document,
    standing_document,
)
from probe.event import STANDING_CHANGED, Event
from probe.health import BLOCKED, Change, Standing, Tally
from probe.health.signals import attach, find_signals
from probe.judged import JudgedCall
from probe.verdict import Disposition


def is_blocked(judged: JudgedCall) -> bool:
    """Say whether a notice of any kind, or the verdict, says blocked; a suspicion alone does not."""
    return judged.notice is not None or judged.verdict.disposition in BLOCKED


def call_blocked(judged: JudgedCall, *, event_id: str, now: datetime) -> Event:
    """Make the `call.blocked` event of a call."""
    subject = judged.record.request.caller
    data = call_document(judged).plain()
    return Event(id=event_id, type="call.blocked", timestamp=now, data=data, subject=subject)


def standing_changed(change: Change, calls: Iterable[JudgedCall], *, event_id: str, now: datetime) -> Event:
    """Make the `number.standing_changed` event: the standing before and after, with the calls that changed it.

    Of `calls`, those are told that the change names, with the control calls that they were held against.
    """
    data = ChangeDocument(
        before=standing_document(change.before) if change.before else None,
        after=standing_document(change.after),
        calls=_behind(change, calls),
        reminder=change.reminder,
    )
    return Event(id=event_id, type=STANDING_CHANGED, timestamp=now, data=data.plain(), subject=change.after.caller)


def _behind(change: Change, calls: Iterable[JudgedCall]) -> tuple[CallDocument, ...]:
    found = sorted((one for one in calls if _is_behind(change, one.record.request)), key=_started_at)
    controls = {one.record.request.control_of: one.record.request.id for one in found}
    return tuple(call_document(one, control=controls.get(one.record.request.id)) for one in found)


def _is_behind(change: Change, request: CallRequest) -> bool:
    return request.id in change.calls or request.control_of in change.calls


def _started_at(judged: JudgedCall) -> tuple[datetime, str]:
    return judged.record.started_at, judged.record.request.id


def with_signals(standings: Sequence[Standing], tallies: Iterable[Tally]) -> tuple[Standing, ...]:
    """Attach to each standing what ties its blocks together, as far as these counts show it."""
    return attach(standings, find_signals(tallies, standings))


def round_completed(  # noqa: PLR0913 - what a round is
    calls: Sequence[JudgedCall],
    standings: Sequence[Standing],
    *,
    round_id: str,
    scenario: str,
    planned: int,
    started_at: datetime,
    ended_at: datetime,
    event_id: str,
) -> Event:
    """Make the `round.completed` event: the round, its counts, and the standing of every caller ID it called.

    `planned` is the number of calls that were due: those that never came to a record are in no other count.
    """
    result = RoundResultDocument(
        round=RoundDocument(id=round_id, scenario=scenario, started_at=started_at, ended_at=ended_at),
        counts=_counted(calls, planned),
        standing=tuple(map(standing_document, standings)),
    )
    return Event(id=event_id, type="round.completed", timestamp=ended_at, data=result.plain())


def _counted(calls: Sequence[JudgedCall], planned: int) -> CountsDocument:
    """Count the calls of a round; guarded ones were not placed and stand in no disposition."""
    placed = [call for call in calls if call.record.ending is not Ending.GUARDED]
    dispositions = Counter(call.verdict.disposition for call in placed)
    met = Counter(call.as_expected for call in placed)
    return CountsDocument(
        planned=planned,
        placed=len(placed),
        guarded=len(calls) - len(placed),
        inconclusive=dispositions[Disposition.INCONCLUSIVE],
        as_expected=met[True],
        not_as_expected=met[False],
        by_disposition={name: dispositions[name] for name in Disposition if dispositions[name]},
    )
