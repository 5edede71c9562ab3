"""Calls that others placed in, thousands at a time; rows of the tables out.

To judge each call on its own and to hand its rows to SQLAlchemy would take most of the time. So calls that are alike in
all that a verdict asks for are judged by the first of them, and rows are made at once as the driver takes them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, insert, select

from probe.call import CallRecord
from probe.importing import Reported, record_of
from probe.importing.facts import IMPORTED
from probe.judged import judge_call
from probe.store import rows
from probe.store.locks import Lock, take_turn
from probe.store.schema import Instant, call, message, opinion
from probe.store.stale import mark_stale
from probe.verdict.alike import pattern_of

# What an imported call has, in the order of the table; every other column is empty.
CALL_COLUMNS: Final = (
    "id", "plan_key", "trunk", "caller", "callee", "site", "network", "label", "campaign", "ring_limit_ms", "hold_ms",
    "started_at", "ended_at", "ending", "lead_source", "tags", "timezone", "digest", "imported",
)  # fmt: skip
OPINION_COLUMNS: Final = tuple(column.name for column in opinion.c)
MESSAGE_COLUMNS: Final = tuple(column.name for column in message.c)
_STARTED, _ENDED, _CALLER, _DIGEST = map(CALL_COLUMNS.index, ("started_at", "ended_at", "caller", "digest"))
_RAW: Final = MESSAGE_COLUMNS.index("raw")
_OPINION: Final = OPINION_COLUMNS[OPINION_COLUMNS.index("ruleset") : OPINION_COLUMNS.index("alerting_ms")]

# The fields of a digest in which calls that are judged alike may differ, in its order.
_VARYING: Final = ("provisional", "final_ms", "talk_ms", "sip_call_id")
# Memory for 128 MB of pages; and only when so many have been written as make 40 MB do they go from the log to the file.
_ROOM: Final = ("PRAGMA cache_size = -131072", "PRAGMA wal_autocheckpoint = 10000")
_MOST_KINDS: Final = 10_000
_LONGEST_KIND: Final = 2_000  # characters; what is longer is hardly met twice

Values = tuple[Any, ...]


class Packed(NamedTuple):
    """One call as it goes into the tables; its times are moments still, all else is as the driver takes it."""

    call: Values
    opinion: Values
    messages: Sequence[Values] = ()

    @property
    def size(self) -> int:
        """About how many bytes it is."""
        return len(self.call[_DIGEST] or "") + sum(len(values[_RAW]) for values in self.messages)


class _Kind(NamedTuple):
    """What calls that are judged alike have in common; `digest` is JSON with a `%s` for each of `_VARYING`."""

    ending: str
    digest: str
    opinion: Values
    contacts: str | None


class Packer:
    """Judges calls and packs them; what it has judged it remembers, within bounds."""

    def __init__(self) -> None:
        self._kinds: dict[Values, _Kind] = {}

    def pack(self, reported: Reported) -> Packed:
        """Judge a call and make its rows: the same as `pack_record` makes of its record, in a tenth of the time."""
        alerting_ms, final_ms = reported.alerting_ms, reported.final_ms
        key = (reported.final[:-1], pattern_of(alerting_ms, reported.early_media_ms, final_ms))
        kind = self._kinds.get(key) or self._judge(key, reported)
        return Packed(
            _call_values(reported, kind),
            (reported.id, *kind.opinion, alerting_ms, final_ms, kind.contacts),
            _message_values(record_of(reported)) if reported.raw_final else (),
        )

    def _judge(self, key: Values, reported: Reported) -> _Kind:
        kind = _kind_of(record_of(reported))
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        if len(kind.digest) <= _LONGEST_KIND:
            self._kinds[key] = kind
        return kind


def _kind_of(record: CallRecord) -> _Kind:
    assert record.digest
    fields = asdict(record.digest)
    held = {name: "%s" if name in _VARYING else json.dumps(fields[name]).replace("%", "%%") for name in fields}
    row = rows.opinion_row(judge_call(record))
    return _Kind(
        ending=record.ending.value,
        digest="{" + ", ".join(f'"{name}": {text}' for name, text in held.items()) + "}",
        opinion=tuple([row[name] for name in _OPINION]),
        contacts=_json(row["contacts"]),
    )


def _call_values(reported: Reported, kind: _Kind) -> Values:
    sip_call_id = reported.final.sip_call_id
    return (
        reported.id,
        reported.plan_key,
        reported.trunk,
        reported.caller,
        reported.callee,
        IMPORTED,
        reported.network,
        reported.label,
        reported.campaign,
        0,
        0,
        reported.started_at,
        reported.ended_at,
        kind.ending,
        reported.lead_source,
        _json(reported.tags or None),
        reported.timezone,
        kind.digest
        % (
            _provisional(reported),
            _number(reported.final_ms),
            _number(reported.talk_ms),
            "null" if sip_call_id is None else _quoted(sip_call_id),
        ),
        reported.imported,
    )


def _number(ms: float | None) -> str:
    return "null" if ms is None else repr(ms)


def _provisional(reported: Reported) -> str:
    found = [f"[{status}, {at_ms!r}, {'true' if sdp else 'false'}]" for status, at_ms, sdp in reported.provisional]
    return f"[{', '.join(found)}]"


def pack_record(record: CallRecord) -> Packed:
    """Judge a call and make its rows, whatever is known of it."""
    judged = judge_call(record)
    written = rows.request_row(record.request) | rows.ending_row(judged)
    written |= {name: _json(written[name]) for name in ("tags", "digest")}
    said = rows.opinion_row(judged) | {"contacts": _json(rows.opinion_row(judged)["contacts"])}
    return Packed(
        tuple([written[name] for name in CALL_COLUMNS]),
        tuple([said[name] for name in OPINION_COLUMNS]),
        _message_values(record),
    )


def _message_values(record: CallRecord) -> list[Values]:
    return [tuple([row[name] for name in MESSAGE_COLUMNS]) for row in rows.message_rows(record)]


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def write_imported(connection: Connection, calls: Iterable[Packed]) -> int:
    """Write the calls that are not there yet, and say how many these are; what their callers add up to is stale."""
    by_id = {one.call[0]: one for one in calls}
    take_turn(connection, Lock.IMPORT)
    _make_room(connection)
    there = set(connection.execute(select(call.c.id).where(call.c.id.in_(list(by_id)))).scalars())
    new = [one for call_id, one in by_id.items() if call_id not in there]
    written = Instant().dialect_impl(connection.dialect).bind_processor(connection.dialect)
    _insert(connection, call, CALL_COLUMNS, [_with_times(one.call, written) for one in new])
    _insert(connection, opinion, OPINION_COLUMNS, [one.opinion for one in new])
    _insert(connection, message, MESSAGE_COLUMNS, [values for one in new for values in one.messages])
    mark_stale(connection, {one.call[_CALLER] for one in new})
    return len(new)


def _make_room(connection: Connection) -> None:
    """Thousands of calls touch thousands of pages of the indexes; written at once, each of them is written once."""
    if connection.dialect.name == "sqlite":
        for setting in _ROOM:
            connection.exec_driver_sql(setting)


def _with_times(values: Values, written: Callable[[Any], Any] | None) -> Values:
    if written is None:  # the driver takes moments as they are
        return values
    return (*values[:_STARTED], written(values[_STARTED]), written(values[_ENDED]), *values[_ENDED + 1 :])


def _insert(connection: Connection, table: Table, columns: tuple[str, ...], values: list[Values]) -> None:
    if not values:
        return
    statement = insert(table).compile(dialect=connection.dialect, column_keys=columns)
    # A driver takes its parameters either by place or by name.
    taken = values if statement.positional else [dict(zip(columns, row, strict=True)) for row in values]
    connection.exec_driver_sql(str(statement), taken)
