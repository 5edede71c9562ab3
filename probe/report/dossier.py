"""What a blocker's redress desk asks for: the case with its calls, and the table of the facts that go to the desk."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from probe.health import Case, NoticeSeen, Observation, Signal, Standing, observe
from probe.health.tally import local_time
from probe.judged import JudgedCall
from probe.report.contacts import Contact, contacts_of
from probe.report.csv_text import Cell
from probe.report.notices import location_words
from probe.report.tables import what_happened
from probe.verdict.redress import is_public_https

MOST_LISTED: Final = 1000
MOST_WITH_MESSAGES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedCall:
    """One call of a case, with the control call that was placed because of it."""

    call: JudgedCall
    control: JudgedCall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """All that is known of a case. `calls` are the newest first, at most MOST_LISTED; `standings` those of the caller.

    `observations` are all calls of the caller ID, blocked or not, for the chart; `changes` what changed among them.
    """

    case: Case
    made_at: datetime
    calls: tuple[BlockedCall, ...]
    standings: tuple[Standing, ...] = ()
    observations: tuple[Observation, ...] = ()
    changes: tuple[Signal, ...] = ()

    @property
    def shown(self) -> tuple[BlockedCall, ...]:
        """The newest calls: those that are told in full."""
        return self.calls[:MOST_WITH_MESSAGES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of a call: the heading of its column, its label in the sheet, and where it comes from.

    `asked_by` says who asks for it; such a fact is always written, in the words of `missing` where there is none.
    """

    column: str
    label: str
    of: Callable[[BlockedCall], Cell]
    asked_by: str | None = None
    missing: str = "not known"


_EVERY_DESK: Final = "every desk: Call-ID, time, both numbers and the blocker's own reference find the call"
_CLEARIP: Final = "ClearIP: a request needs a valid SIP message id (docs.clearip.com/analytics/redress)"
_ATIS: Final = "ATIS-1000099: what the notice of a block is made of"
_NOT_GIVEN: Final = "not given by the notice"
_ERROR_CLAIM: Final = "47 CFR 64.1200(k)(8): a credible claim that the block was in error"


def at_callee(call: JudgedCall) -> datetime | None:
    """Give the time at which a call started at the called party, where its zone is known."""
    seen = observe(call)
    return local_time(seen) if seen else None


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _local(one: BlockedCall) -> str | None:
    local = at_callee(one.call)
    if local is None:
        return None
    zone = one.call.record.request.timezone
    return local.isoformat(" ", timespec="milliseconds") + (f" ({zone})" if zone else "")


def _status(one: BlockedCall) -> str | None:
    final = one.call.conversation.final
    return f"{final.status} {final.phrase}".rstrip() if final and final.status is not None else None


def _reason(one: BlockedCall) -> str | None:
    """Give the Reason as received, values of several headers joined as RFC 3261 s7.3.1 allows."""
    final = one.call.conversation.final
    return ", ".join(final.all("reason")) or None if final else None


def _notice(name: str) -> Callable[[BlockedCall], str | None]:
    return lambda one: getattr(one.call.notice, name) or None if one.call.notice else None


def _flaws(one: BlockedCall) -> str | None:
    return ", ".join(one.call.notice.flaws) or None if one.call.notice else None


def _location(one: BlockedCall) -> str | None:
    location = one.call.notice.location if one.call.notice else None
    return location_words(location) if location else None


def _ms(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def _rang(one: BlockedCall) -> str:
    timing = one.call.conversation.timing
    if timing.alerting_ms is not None:
        return f"yes, {timing.alerting_ms:.0f} ms after the INVITE"
    return "no" if timing.early_media_ms is None else f"no, but sound {timing.early_media_ms:.0f} ms after the INVITE"


def _control(one: BlockedCall) -> str | None:
    if one.control is None:
        return None
    record, said = one.control.record, one.control.conversation
    call_id = f", Call-ID {said.call_id}" if said.call_id else ""
    when = _utc(record.started_at)
    verdict = one.control.verdict.disposition
    return f"from {record.request.caller} at {when}: {what_happened(one.control)} ({verdict}{call_id})"


def _source(one: BlockedCall) -> str:
    record = one.call.record
    if record.imported:
        return f"reported by {record.imported}"
    return "a call of our own" if record.messages else "a call of our own, its messages are no longer kept"


CALL_FACTS: Final = (
    Fact(column="caller", label="caller", of=lambda one: one.call.record.request.caller, asked_by=_EVERY_DESK),
    Fact(column="callee", label="callee", of=lambda one: one.call.record.request.callee, asked_by=_EVERY_DESK),
    Fact(
        column="started_at", label="time (UTC)", of=lambda one: _utc(one.call.record.started_at), asked_by=_EVERY_DESK
    ),
    Fact(column="started_at_callee", label="time there", of=_local, asked_by=_EVERY_DESK),
    Fact(column="sip_call_id", label="Call-ID", of=lambda one: one.call.conversation.call_id, asked_by=_CLEARIP),
    Fact(column="notice_id", label="reference", of=_notice("id"), asked_by=_CLEARIP, missing=_NOT_GIVEN),
    Fact(column="status", label="status", of=_status, asked_by=_ATIS),
    Fact(column="reason", label="Reason", of=_reason, asked_by=_ATIS),
    Fact(column="notice", label="notice", of=_notice("kind"), asked_by=_ATIS),
    Fact(column="location", label="refused", of=_location, asked_by=_ATIS, missing=_NOT_GIVEN),
    Fact(column="url", label="url", of=_notice("url"), asked_by=_ATIS, missing=_NOT_GIVEN),
    Fact(column="tel", label="tel", of=_notice("tel"), asked_by=_ATIS, missing=_NOT_GIVEN),
    Fact(column="email", label="email", of=_notice("email"), asked_by=_ATIS, missing=_NOT_GIVEN),
    Fact(column="card", label="card", of=_notice("call_info")),
    Fact(column="flaws", label="flaws", of=_flaws),
    Fact(column="network", label="network", of=lambda one: one.call.record.request.network),
    Fact(column="trunk", label="trunk", of=lambda one: one.call.record.request.trunk),
    Fact(column="final_ms", label="after (ms)", of=lambda one: _ms(one.call.conversation.timing.final_ms)),
    Fact(column="rang", label="rang", of=_rang),
    Fact(column="control", label="control call", of=_control, asked_by=_ERROR_CLAIM, missing="none on record"),
    Fact(column="disposition", label="verdict", of=lambda one: one.call.verdict.disposition),
    Fact(column="confidence", label="confidence", of=lambda one: one.call.verdict.confidence),
    Fact(column="source", label="source", of=_source),
    Fact(column="id", label="our id", of=lambda one: one.call.record.request.id),
)
"""The facts of each call, in the order in which the sheet and the table give them."""


def case_contacts(case: Case) -> tuple[Contact, ...]:
    """Give the contacts and the reference of the last notice of a case, each with what is wrong with it."""
    said = case.contacts
    notice = NoticeSeen(
        url=said.url,
        tel=said.tel,
        email=said.email,
        id=said.id,
        location=said.location,
        first_seen=case.first_seen,
        last_seen=case.last_seen,
        count=case.count,
    )
    found = contacts_of(notice)
    if not said.call_info:
        return found
    flaw = None if is_public_https(said.call_info) else "do not open it: no safe public https address"
    return (*found, Contact("card", said.call_info, flaw))
