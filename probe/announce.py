"""Judged calls and rounds in, the events that tell others of them out: pure, the id and the time come in.

Apart from `probe.event`, so that the rooms which only carry events need not know what a verdict is.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from probe.call import Ending
from probe.documents import (
    CountsDocument,
    RoundDocument,
    RoundResultDocument,
    call_document,
    standing_document,
)
from probe.event import Event
from probe.health import BLOCKED, Standing
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
