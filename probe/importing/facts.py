"""The values of one row in, the call that they tell of out; nothing is added that the row does not say."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from probe.call import CallRecord, CallRequest, Digest, Direction, Ending, Message
from probe.judged import kept_headers
from probe.sip import read_response

UNKNOWN: Final = "unknown"
"""Stands for the transport and the addresses of a message, where nobody wrote them down."""
IMPORTED: Final = "imported"
"""Stands for the site, and for a trunk that is not named."""

_RINGING, _PROGRESS = 180, 183
_OK, _FAILURE = 200, 300
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NEEDED: Final = ("started_at", "caller", "callee")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the rows come from: the file's bare name, the network where a row names none, the latest time allowed."""

    name: str
    network: str | None = None
    latest: datetime


class FinalResponse(NamedTuple):
    """The final response, as far as a row gives it."""

    status: int
    phrase: str
    headers: tuple[tuple[str, str], ...]
    flaws: tuple[str, ...] = ()
    sip_call_id: str | None = None


class Reported(NamedTuple):
    """One call as another program reports it. Light, for there are millions; `record_of` makes the record of it.

    Times in ms count from the INVITE; `imported` is the file and the line.
    """

    id: str
    started_at: datetime
    caller: str
    callee: str
    final: FinalResponse
    alerting_ms: float | None
    early_media_ms: float | None
    final_ms: float | None
    talk_ms: float | None
    raw_final: bytes | None
    trunk: str
    network: str | None
    label: str | None
    campaign: str | None
    lead_source: str | None
    tags: tuple[str, ...]
    timezone: str | None
    imported: str

    @property
    def ending(self) -> Ending:
        return Ending.ANSWERED if self.final.status < _FAILURE else Ending.REFUSED

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(milliseconds=(self.final_ms or 0.0) + (self.talk_ms or 0.0))

    @property
    def plan_key(self) -> str:
        return f"import|{self.id}"

    @property
    def provisional(self) -> tuple[tuple[int, float, bool], ...]:
        """The provisional responses as a digest has them, by time."""
        alerting = () if self.alerting_ms is None else ((_RINGING, self.alerting_ms, False),)
        if self.early_media_ms is None:
            return alerting
        early_media = (_PROGRESS, self.early_media_ms, True)
        if alerting and alerting[0][1] < self.early_media_ms:
            return (*alerting, early_media)
        return (early_media, *alerting)


def reported_of(values: dict[str, Any], line: int, source: Source) -> Reported:
    """Put a row's values together. Raises ValueError with a sentence where they make no sense together."""
    final = _final(values)
    _require(values, final, source)
    get = values.get
    talk_ms = get("talk_ms") if final.status < _FAILURE else None
    at, caller, callee = values["started_at"], values["caller"], values["callee"]
    alerting_ms, early_media_ms, final_ms = get("alerting_ms"), get("early_media_ms"), get("final_ms")
    # By this a call is known again: not by its names, which may be given better the next time.
    known_by = f"{caller} {callee} {final.status} {final.sip_call_id}"
    if final.sip_call_id is None:
        known_by += repr((final.phrase, final.headers, alerting_ms, early_media_ms, final_ms, talk_ms))
    return Reported(
        call_id_of(at, known_by),
        at,
        caller,
        callee,
        final,
        alerting_ms,
        early_media_ms,
        final_ms,
        talk_ms,
        get("raw_final"),
        get("trunk", IMPORTED),
        get("network", source.network),
        get("label"),
        get("campaign"),
        get("lead_source"),
        get("tags", ()),
        get("timezone"),
        f"{source.name}:{line}",
    )


def _final(values: dict[str, Any]) -> FinalResponse:
    raw: bytes | None = values.get("raw_final")
    if raw is not None:
        return _read_final(raw, values)
    if "status" not in values:
        raise ValueError("status is missing, and so is raw_final; give one of them.")
    headers = tuple([("Reason", value) for value in values.get("reason", ())])
    return FinalResponse(values["status"], values.get("phrase", ""), headers, (), values.get("sip_call_id"))


def _read_final(raw: bytes, values: dict[str, Any]) -> FinalResponse:
    """Read the message as it came; what stands beside it in columns is not needed, but may not contradict it."""
    response = read_response(raw)
    if response.status is None:
        raise ValueError("raw_final is no SIP response; its first line must be such as SIP/2.0 603 Decline.")
    if response.status < _OK:
        raise ValueError("raw_final is a provisional response; give the final one.")
    if values.get("status", response.status) != response.status:
        raise ValueError(f"status {values['status']} is not that of raw_final, {response.status}; correct one of them.")
    call_id = values.get("sip_call_id") or response.header("call-id")
    return FinalResponse(response.status, response.phrase, kept_headers(response.headers), response.flaws, call_id)


def _require(values: dict[str, Any], final: FinalResponse, source: Source) -> None:
    for name in _NEEDED:
        if name not in values:
            raise ValueError(f"{name} is missing; give every row one.")
    if values["started_at"] > source.latest:
        raise ValueError(f"started_at {values['started_at']:%Y-%m-%d %H:%M:%S} UTC is in the future; look at its zone.")
    if final.status >= _FAILURE and values.get("talk_ms"):
        raise ValueError("talk_ms says that they talked, but the final response is a refusal; correct one of them.")
    final_ms = values.get("final_ms")
    for name in ("alerting_ms", "early_media_ms"):
        if final_ms is not None and values.get(name, 0.0) > final_ms:
            raise ValueError(f"{name} is later than final_ms; both count from the INVITE.")


def call_id_of(at: datetime, known_by: str) -> str:
    """Make the id of a call out of the call: a UUID of version 7 (RFC 9562 s5.7), with a hash for its random bits.

    So the same call, read again, is known again, and ids sort by the time of the calls.
    """
    us = (at - _EPOCH) // _MICROSECOND
    known = hashlib.blake2b(f"{us} {known_by}".encode("utf-8", "backslashreplace"), digest_size=10).hexdigest()
    ms = f"{us // 1000:012x}"
    variant = "89ab"[int(known[3], 16) & 3]
    return f"{ms[:8]}-{ms[8:]}-7{known[:3]}-{variant}{known[4:7]}-{known[7:19]}"


def record_of(reported: Reported) -> CallRecord:
    """Make the record of a call."""
    return CallRecord(
        request=_request(reported),
        started_at=reported.started_at,
        ended_at=reported.ended_at,
        ending=reported.ending,
        messages=_messages(reported),
        digest=Digest(
            status=reported.final.status,
            phrase=reported.final.phrase,
            headers=reported.final.headers,
            flaws=reported.final.flaws,
            provisional=reported.provisional,
            final_ms=reported.final_ms,
            talk_ms=reported.talk_ms,
            sip_call_id=reported.final.sip_call_id,
        ),
        imported=reported.imported,
    )


def _request(reported: Reported) -> CallRequest:
    return CallRequest(
        id=reported.id,
        plan_key=reported.plan_key,
        trunk=reported.trunk,
        caller=reported.caller,
        callee=reported.callee,
        site=IMPORTED,
        network=reported.network,
        label=reported.label,
        campaign=reported.campaign,
        ring_limit_ms=0,
        hold_ms=0,
        lead_source=reported.lead_source,
        tags=reported.tags,
        timezone=reported.timezone,
    )


def _messages(reported: Reported) -> tuple[Message, ...]:
    if reported.raw_final is None:
        return ()
    received = Message(
        at_ms=reported.final_ms or 0.0,
        direction=Direction.RECEIVED,
        transport=UNKNOWN,
        local=UNKNOWN,
        remote=UNKNOWN,
        raw=reported.raw_final,
    )
    return (received,)
