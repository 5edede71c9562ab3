"""Values of `probe.call` and `probe.event` in, rows of the tables out, and the way back."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import Row

from probe.call import CallRecord, CallRequest, Card, CardState, Digest, Direction, Ending, Media, Message, Security
from probe.event import Delivery, DeliveryState, Event
from probe.expectation import Expectation
from probe.health import Contacts
from probe.judged import JudgedCall
from probe.scenario.history import longest_talk_ms
from probe.sip.blanked import without_secrets
from probe.trunk import Srtp
from probe.verdict import RULESET, Conformance

_REQUEST_FIELDS = tuple(field.name for field in fields(CallRequest))
_MESSAGE_FIELDS = tuple(field.name for field in fields(Message))
_CONTACT_FIELDS = tuple(field.name for field in fields(Contacts))
_EVENT_FIELDS = tuple(field.name for field in fields(Event))


def request_row(request: CallRequest) -> dict[str, Any]:
    row = {name: getattr(request, name) for name in _REQUEST_FIELDS}
    written = {"expect": _expect_json(request.expect), "tags": list(request.tags) or None}
    return row | written | {"talk_ms": longest_talk_ms(request.hold_ms)}


def ending_row(judged: JudgedCall) -> dict[str, Any]:
    record = judged.record
    return {
        # When the INVITE left, known only now, takes the place of when the attempt was written.
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "ending": record.ending.value,
        "detail": record.detail,
        "media": asdict(record.media) if record.media else None,
        "talk_ms": _talk_ms(judged),
        "digest": asdict(record.digest) if record.digest else None,
        "imported": record.imported,
        "security": asdict(record.security) if record.security else None,
    }


def opinion_row(judged: JudgedCall) -> dict[str, Any]:
    final = judged.conversation.final
    return {
        "call_id": judged.record.request.id,
        "ruleset": RULESET,
        "disposition": judged.verdict.disposition.value,
        "confidence": judged.verdict.confidence.value,
        "status": final.status if final else None,
        "definitive": _is_definitive(judged),
        "alerting_ms": judged.conversation.timing.alerting_ms,
        "final_ms": judged.conversation.timing.final_ms,
        "contacts": _contacts(judged),
    }


def _contacts(judged: JudgedCall) -> dict[str, Any] | None:
    notice = judged.notice
    return {name: getattr(notice, name) for name in _CONTACT_FIELDS} if notice else None


def _talk_ms(judged: JudgedCall) -> int | None:
    """Say how much talk counts; of a call whose end nobody saw, the longest possible; of one not placed by us, none."""
    if judged.record.ending is Ending.GUARDED or judged.record.imported:
        return None
    if judged.record.ending in {Ending.LOST, Ending.AGENT_FAILED}:
        return longest_talk_ms(judged.record.request.hold_ms)
    return ceil(judged.conversation.timing.talk_ms or 0)


def _is_definitive(judged: JudgedCall) -> bool:
    """Say whether a blocker named itself, so that asking again would be no test but a nuisance (RFC 8197 s1)."""
    notice = judged.notice
    return notice is not None and (notice.kind != "603+" or notice.conformance is Conformance.CONFORMANT)


def message_rows(record: CallRecord) -> list[dict[str, Any]]:
    return [
        {name: getattr(message, name) for name in _MESSAGE_FIELDS}
        | {"call_id": record.request.id, "seq": seq, "raw": without_secrets(message.raw)}
        for seq, message in enumerate(record.messages)
    ]


def event_row(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _EVENT_FIELDS}


def read_request(row: Row[Any]) -> CallRequest:
    return request_of(dict(row._mapping))  # noqa: SLF001 (SQLAlchemy's public name for it)


def request_of(columns: Mapping[str, Any]) -> CallRequest:
    """Read what `request_row` wrote."""
    values = {name: columns[name] for name in _REQUEST_FIELDS}
    return CallRequest(**values | {"expect": _read_expect(values["expect"]), "tags": tuple(values["tags"] or ())})


def read_record(row: Row[Any], messages: Iterable[Message]) -> CallRecord:
    return CallRecord(
        request=read_request(row),
        started_at=row.started_at,
        ended_at=row.ended_at,
        ending=Ending(row.ending),
        messages=tuple(messages),
        detail=row.detail,
        media=Media(**row.media) if row.media else None,
        digest=read_digest(row.digest),
        imported=row.imported,
        security=_read_security(row.security),
        card=_read_card(row.card),
    )


def card_json(card: Card) -> dict[str, Any]:
    return asdict(card) | {"at": card.at.isoformat()}


def _read_card(stored: dict[str, Any] | None) -> Card | None:
    if stored is None:
        return None
    read = {"at": datetime.fromisoformat(stored["at"]), "state": CardState(stored["state"])}
    return Card(**stored | read)


def _read_security(stored: dict[str, Any] | None) -> Security | None:
    return Security(tls_verify=stored["tls_verify"], srtp=Srtp(stored["srtp"])) if stored else None


def read_digest(stored: dict[str, Any] | None) -> Digest | None:
    if stored is None:
        return None
    headers = tuple((name, value) for name, value in stored["headers"])
    provisional = tuple((status, at_ms, sdp) for status, at_ms, sdp in stored["provisional"])
    bye_from = Direction(stored["bye_from"]) if stored["bye_from"] else None
    texts = {name: tuple(stored[name]) for name in ("flaws", "bye_reasons")}
    return Digest(**stored | texts | {"headers": headers, "provisional": provisional, "bye_from": bye_from})


def read_message(row: Row[Any]) -> Message:
    return Message(
        at_ms=row.at_ms,
        direction=Direction(row.direction),
        transport=row.transport,
        local=row.local,
        remote=row.remote,
        raw=row.raw,
        cut=row.cut,
    )


def read_event(row: Row[Any]) -> Event:
    return Event(id=row.id, type=row.type, timestamp=row.timestamp, data=row.data, subject=row.subject)


def read_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        event=read_event(row),
        endpoint=row.endpoint,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        ended_at=row.ended_at,
        reason=row.reason,
    )


def _expect_json(expect: Expectation | None) -> dict[str, Any] | None:
    if expect is None:
        return None
    return {
        "any_of": sorted(expect.any_of),
        "none_of": sorted(expect.none_of),
        "max_final_ms": expect.max_final_ms,
    }


def _read_expect(stored: dict[str, Any] | None) -> Expectation | None:
    if stored is None:
        return None
    return Expectation(
        any_of=frozenset(stored["any_of"]),
        none_of=frozenset(stored["none_of"]),
        max_final_ms=stored["max_final_ms"],
    )
