"""Calls whose opinions are old, or doubted, in; opinions made again from their facts, where they are others, out."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select, update

from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.judged import JudgedCall, conversation_of, judge_call, kept_headers
from probe.sip import Conversation, Timing, read_conversation
from probe.sip.outline import Outline, in_ms, moments_of, outline_of
from probe.store import rows
from probe.store.database import Database
from probe.store.facts import PAGE
from probe.store.many import execute_many
from probe.store.schema import call, message, opinion
from probe.verdict import RULESET
from probe.verdict.alike import pattern_of

_RANGE: Final = 5_000
_MOST_KINDS: Final = 10_000
_ANY_REQUEST: Final = CallRequest(id="", plan_key="", trunk="", caller="", callee="")
# Ten times as fast as to ask the classes, which counts where millions of calls are read.
_ENDINGS: Final = {one.value: one for one in Ending}
_DIRECTIONS: Final = {one.value: one for one in Direction}
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)

# Statements of every call, made once: making one takes longer than running it.
_ADD_OPINION: Final = insert(opinion)
_PUT_OPINION: Final = update(opinion).where(opinion.c.call_id == bindparam("of_call"))

# What judging asks for, and nothing else; of a call with several messages, a row for each.
_JUDGED: Final = (
    select(
        *opinion.c, call.c.ending, call.c.detail, call.c.digest, call.c.imported, message.c.at_ms, message.c.direction,
        message.c.raw, message.c.cut,
    )
    .select_from(call)
    .join(opinion, opinion.c.call_id == call.c.id)
    .outerjoin(message, message.c.call_id == call.c.id)
    .where(call.c.ended_at.is_not(None))
    .order_by(call.c.id, message.c.seq)
)  # fmt: skip
# Where its columns are: first those of the opinion, which are `_ENDING` many.
_ENDING: Final = len(opinion.c)
_DIGEST, _AT, _DIRECTION, _RAW, _CUT = (
    next(place for place, column in enumerate(_JUDGED.selected_columns) if column is one)
    for one in (call.c.digest, message.c.at_ms, message.c.direction, message.c.raw, message.c.cut)
)
_is_old = opinion.c.ruleset != RULESET
_OF_RANGE: Final = _JUDGED.where(call.c.id > bindparam("after"), call.c.id <= bindparam("upto"))
_OLD_OF_RANGE: Final = _OF_RANGE.where(_is_old)
_refused = call.alias("refused")
_held_against_theirs = call.c.control_of.in_(select(_refused.c.id).where(_refused.c.caller == bindparam("caller")))
_OLD_OF_CALLER: Final = _JUDGED.where(_is_old, or_(call.c.caller == bindparam("caller"), _held_against_theirs))
_AN_OLD_ONE: Final = select(opinion.c.call_id).where(_is_old).limit(1)
_after = call.c.id > bindparam("after")
_END_OF_RANGE: Final = select(call.c.id).where(_after).order_by(call.c.id).offset(bindparam("before_it")).limit(1)
_REST: Final = select(func.max(call.c.id), func.count()).where(_after)

_Any = TypeVar("_Any")
_Row = tuple[Any, ...]
_Said = tuple[Any, ...]
Opinion = dict[str, Any]
"""A row of the table of that name."""
Put = Callable[[Sequence[Opinion]], None]


class Range(NamedTuple):
    """So many calls, whose ids come after one and up to the other."""

    after: str
    upto: str
    calls: int


def add_opinions(connection: Connection, judged: Sequence[JudgedCall]) -> None:
    """Write what calls are held to mean."""
    execute_many(connection, _ADD_OPINION, [rows.opinion_row(one) for one in judged])


def put_opinions(connection: Connection, opinions: Iterable[Opinion]) -> None:
    """Write what calls are held to mean, in place of what they were held to mean before."""
    execute_many(connection, _PUT_OPINION, [row | {"of_call": row["call_id"]} for row in opinions])


def judge_old_of(connection: Connection, caller: str, put: Put) -> None:
    """Judge the calls of a caller, and the control calls held against them, whose opinions are of an older ruleset."""
    for changed in _judge(connection, _OLD_OF_CALLER, caller=caller):
        put(changed)


def judge_old(database: Database) -> None:
    """Judge every call whose opinion is of an older ruleset."""
    for part in old_ranges(database):
        judge_range(database, part, old=True)


def old_ranges(database: Database) -> Iterator[Range]:
    """Split all calls into ranges, if one of them has an opinion of an older ruleset."""
    with database.reading() as connection:
        found = connection.execute(_AN_OLD_ONE).first()
    if found is not None:
        yield from ranges(database)


def ranges(database: Database) -> Iterator[Range]:
    """Split all calls into ranges, in the order of their ids: near one another in the file, for ids begin with time."""
    after, calls = "", _RANGE
    while calls == _RANGE:
        with database.reading() as connection:
            upto = connection.execute(_END_OF_RANGE, {"after": after, "before_it": _RANGE - 1}).scalar()
            if upto is None:
                upto, calls = connection.execute(_REST, {"after": after}).one()
        if calls:
            yield Range(after, upto, calls)
            after = upto


def judge_range(database: Database, part: Range, *, old: bool) -> None:
    """Judge the calls of a range, or those of them whose opinions are old."""
    with database.reading() as connection:
        chosen = _OLD_OF_RANGE if old else _OF_RANGE
        changed = [row for page in _judge(connection, chosen, after=part.after, upto=part.upto) for row in page]
    if changed:
        with database.writing() as connection:
            put_opinions(connection, changed)


def _judge(connection: Connection, chosen: Select[Any], **which: str) -> Iterator[list[Opinion]]:
    """Judge the chosen calls; give the opinions that are others than those that are there, page by page."""
    judge, found = Judge(), connection.execute(chosen, which, execution_options={"yield_per": PAGE})
    calls = (list(rows) for _, rows in groupby(map(tuple, found), key=itemgetter(0)))
    while page := list(islice(calls, PAGE)):
        again = ((judge.opinion(rows), rows[0]) for rows in page)
        changed = [made for made, row in again if tuple(made.values())[1:] != row[1:_ENDING]]
        if changed:
            yield changed


class Judge:
    """Judges calls: of those that are alike in all that a verdict asks for only the first, of which it remembers it.

    So it does with what was said: most calls are the same few exchanges under other names.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Opinion] = {}
        self._read: dict[Outline, tuple[Timing, _Said]] = {}

    def opinion(self, found: Sequence[_Row]) -> Opinion:
        """Judge a call; give the row of the opinion on it."""
        timing, said = self._listen(found)
        pattern = pattern_of(timing.alerting_ms, timing.early_media_ms, timing.final_ms, timing.talk_ms)
        kind = (*found[0][_ENDING:_DIGEST], pattern, said)
        known = self._known.get(kind) or _remember(self._known, kind, rows.opinion_row(judge_call(_record(found))))
        return known | {"call_id": found[0][0], "alerting_ms": timing.alerting_ms, "final_ms": timing.final_ms}

    def _listen(self, found: Sequence[_Row]) -> tuple[Timing, _Said]:
        """Give the times of a call, and all else that decides on a verdict."""
        first = found[0]
        if first[_DIGEST] is not None or first[_AT] is None:
            return _heard(conversation_of(_record(found)))
        moments, places = moments_of([row[_AT] for row in found])
        outline = outline_of([(row[_RAW], row[_DIRECTION] == Direction.SENT, row[_CUT]) for row in found], places)
        read = self._read.get(outline) if outline else None
        if read is None:
            messages = _record(found).messages
            if outline is None:
                return _heard(read_conversation(messages))
            at_places = [replace(one, at_ms=place) for one, place in zip(messages, places, strict=True)]
            read = _remember(self._read, outline, _heard(read_conversation(at_places)))
        return in_ms(read[0], moments), read[1]


def _remember(known: dict[Any, _Any], key: Hashable, value: _Any) -> _Any:
    if len(known) >= _MOST_KINDS:
        known.clear()
    known[key] = value
    return value


def _heard(conversation: Conversation) -> tuple[Timing, _Said]:
    """Give the times, and all that was said but who called whom over which route."""
    final = conversation.final
    response = final and (final.status, final.phrase, kept_headers(final.headers), final.flaws)
    hung_up = (conversation.bye_reasons, conversation.bye_from, conversation.cut)
    return conversation.timing, (response, hung_up, bool(conversation.provisional))


def _record(found: Sequence[_Row]) -> CallRecord:
    """Make a record of what judging asks for, and nothing else."""
    ending, detail, digest, imported = found[0][_ENDING:_AT]
    return CallRecord(
        request=_ANY_REQUEST,
        started_at=_NO_TIME,
        ended_at=_NO_TIME,
        ending=_ENDINGS[ending],
        messages=tuple([_message(*row[_AT:]) for row in found if row[_AT] is not None]),
        detail=detail,
        digest=rows.read_digest(digest),
        imported=imported,
    )


def _message(at_ms: float, direction: str, raw: bytes, cut: bool) -> Message:
    return Message(at_ms=at_ms, direction=_DIRECTIONS[direction], transport="", local="", remote="", raw=raw, cut=cut)
