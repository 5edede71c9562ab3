"""Judged calls and standings in, the JSON that other programs rely on out, with its JSON Schema.

Key order is part of the promise, so it is the order of the fields. A key is never missing: what is not known is null.
The two exceptions are `provisional[].sdp` (only where true) and `reasons[].params` (only where there are any).
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import GenerateJsonSchema

from probe.call import CallRecord, CardState, Ending
from probe.expectation import describe
from probe.health import Standing, State
from probe.judged import JudgedCall
from probe.sip import Response
from probe.trunk import Srtp
from probe.verdict import Confidence, Conformance, Disposition, Notice, Verdict, next_steps

_SURROGATE = re.compile("[\ud800-\udfff]")


def timestamp(at: datetime) -> str:
    """Write an aware time as UTC to the millisecond: `2026-11-22T10:00:00.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _well_formed(value: object) -> object:
    """Half a surrogate pair is no character and must not stand in JSON (RFC 8259 s8.2)."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _whole(value: object) -> object:
    return round(value) if isinstance(value, float) else value


def _three_digits(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


Text = Annotated[str, BeforeValidator(_well_formed)]
Millis = Annotated[int, BeforeValidator(_whole)]
Share = Annotated[float, BeforeValidator(_three_digits)]
Time = Annotated[AwareDatetime, PlainSerializer(timestamp, return_type=str)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True, defer_build=True)

    def plain(self) -> dict[str, Any]:
        """Give the document as plain JSON values, in the promised order."""
        return self.model_dump(mode="json")


class ReasonDocument(_Document):
    """One value of a Reason header (RFC 3326)."""

    protocol: Text = Field(description="SIP, Q.850 or another protocol, as it was sent")
    cause: int | None
    text: Text | None
    location: Text | None = Field(description="the network that refused, such as RLN or TN (RFC 8606, ATIS-1000099)")
    params: Annotated[dict[Text, Text], BeforeValidator(dict)] = Field(
        default_factory=dict, description="parameters of other names; only if there are any"
    )

    @model_serializer(mode="wrap")
    def _drop_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return written if self.params else {key: value for key, value in written.items() if key != "params"}


class ProvisionalDocument(_Document):
    """One provisional response (1xx) off the wire."""

    status: int
    at_ms: Millis = Field(description="milliseconds from the INVITE")
    sdp: bool = Field(default=False, description="it opened early media; only if true")

    @model_serializer(mode="wrap")
    def _drop_false(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return written if self.sdp else {key: value for key, value in written.items() if key != "sdp"}


class TimingDocument(_Document):
    """Milliseconds from the INVITE on the wire; `talk_ms` from the answer to the BYE."""

    alerting_ms: Millis | None = Field(description="to the first 180")
    early_media_ms: Millis | None = Field(description="to the first 18x with SDP")
    final_ms: Millis | None = Field(description="to the final response")
    answered_ms: Millis | None = Field(description="to the 200 that answered")
    talk_ms: Millis | None = Field(description="from the answer to the BYE")


class CardDocument(_Document):
    """The signed card of a 608 (RFC 8688). It has contacts once it is verified; they are the far end's words still."""

    uri: Text = Field(description="where it stands, as the 608 says")
    state: CardState = Field(description="unverified: not fetched, or nobody answered; refused: it proves nothing")
    why: Text | None = Field(description="the reason, in words; null once it is verified")
    fn: Text | None = Field(description="the name on the card")
    url: tuple[Text, ...] = Field(description="where to complain")
    tel: tuple[Text, ...] = Field(description="where to complain")
    email: tuple[Text, ...] = Field(description="where to complain")
    adr: tuple[Text, ...] = Field(description="where to complain")
    iat: int | None = Field(description="when it was signed, in seconds since 1970")
    flaws: tuple[Text, ...] = Field(description="what is wrong with its contacts")


class NoticeDocument(_Document):
    """What the blocker says of itself. Text from the network: show it, never open, call or mail it unseen."""

    kind: Text = Field(description="603+ (ATIS-1000099), 607 (RFC 8197) or 608 (RFC 8688)")
    conformance: Conformance = Field(description="remapped: an analytics Reason under another status code")
    flaws: tuple[Text, ...] = Field(description="how it departs from its standard")
    version: Text | None = Field(description="analytics1, the AVP `v`")
    url: Text | None = Field(description="where to complain")
    tel: Text | None = Field(description="where to complain")
    email: Text | None = Field(description="where to complain")
    id: Text | None = Field(description="the blocker's own reference")
    location: Text | None = Field(description="which network refused: LN, TN, RLN, LPN or RPN")
    card: CardDocument | None = Field(description="the signed card that a 608 names; null where none is named")


class VerdictDocument(_Document):
    """The opinion on one call."""

    disposition: Disposition
    confidence: Confidence = Field(description="certain: the standard says so")
    because: tuple[Text, ...] = Field(description="the evidence, a sentence each")
    flags: tuple[Text, ...] = Field(description="what else was seen, for machines")


class SecurityDocument(_Document):
    """How the trunk of a call was set to protect it, and whether its media was encrypted."""

    tls_verify: bool | None = Field(description="the trunk's certificate was to be checked; null without TLS")
    srtp: Srtp = Field(description="what the trunk asks for")
    media_encrypted: bool | None = Field(description="the media went as SRTP; null where there was none")


class CallDocument(_Document):
    """One call: facts off the wire, the notice in them, and the verdict."""

    id: Text = Field(description="sorts by time (UUID version 7)")
    scenario: Text | None = Field(description="name of the scenario; null for a call on its own")
    site: Text = Field(description="where it was placed from")
    trunk: Text
    caller: Text = Field(description="the caller ID, E.164")
    callee: Text = Field(description="the number dialled, E.164")
    network: Text | None = Field(description="the callee's carrier, as the scenario names it")
    started_at: Time = Field(description="UTC, when the INVITE was due")
    ended_at: Time = Field(description="UTC")
    ending: Ending = Field(description="how it ended, seen from our side")
    status: int | None = Field(description="of the final response; null if none came off the wire")
    phrase: Text | None = Field(description="off the wire, may be empty; null without a status")
    reasons: tuple[ReasonDocument, ...]
    provisional: tuple[ProvisionalDocument, ...]
    timing: TimingDocument
    notice: NoticeDocument | None
    verdict: VerdictDocument
    expected: Text | None = Field(description="the expectation in words")
    as_expected: bool | None = Field(description="null without an expectation or without a test")
    sip_call_id: Text | None = Field(description="the Call-ID header, which redress desks ask for")
    label: Text | None = Field(description="of the caller ID, from the scenario")
    campaign: Text | None = Field(description="of the caller ID, from the scenario")
    round: Text | None = Field(description="id of the round it belongs to")
    detail: Text | None = Field(description="our own words for why nothing could be asked or heard")
    control_of: Text | None = Field(description="id of the refused call that this control call is held against")
    control: Text | None = Field(description="id of the control call that was placed because of this one")
    imported: Text | None = Field(description="where the facts come from, if another program placed the call")
    lead_source: Text | None = Field(description="of the caller ID, from the scenario")
    tags: tuple[Text, ...] = Field(description="of the caller ID, from the scenario")
    security: SecurityDocument | None = Field(description="null for a call that was not dialled, or not by us")


class ExplainDocument(_Document):
    """What one final response means."""

    status: int | None
    phrase: Text | None
    reasons: tuple[ReasonDocument, ...]
    notice: NoticeDocument | None
    verdict: VerdictDocument
    next_steps: tuple[Text, ...]


class NoticeSeenDocument(_Document):
    """The same notice, folded over the calls that carried it; `id` is that of the last one."""

    url: Text | None
    tel: Text | None
    email: Text | None
    id: Text | None
    location: Text | None
    first_seen: Time
    last_seen: Time
    count: int


class SignalDocument(_Document):
    """What ties blocks together: `hits` of `total` have it in common, and `other_hits` of `other_total` have not."""

    kind: Text
    dimension: Text
    value: Text
    p: float = Field(description="the probability that it is chance, corrected for all that was looked at")
    caller: Text | None = Field(description="null where it speaks of all caller IDs")
    network: Text | None = Field(description="null where it speaks of all networks")
    hits: int
    total: int
    other_hits: int
    other_total: int
    since: Time | None = Field(description="of a change: when it began")
    of: Text = Field(description="what is counted, such as calls")


class StandingDocument(_Document):
    """The reputation of one caller ID on one network, or as a whole where `network` is null."""

    caller: Text
    network: Text | None
    standing: State
    since: Time = Field(description="start of the call at which the evidence turned")
    judged: int = Field(description="calls that can speak: blocked, or through to the called party")
    blocked: int
    blocked_share: Share | None = Field(description="blocked / judged; null if none was judged")
    interval: tuple[Share, Share] | None = Field(description="Wilson interval of the share, 95 %")
    declined: int = Field(description="by the called party; among the judged")
    suspected: int = Field(description="signs of a block that were damaged on the way; not among the judged")
    inconclusive: int = Field(description="nothing could be learned; not among the judged")
    last_call_at: Time
    notices: tuple[NoticeSeenDocument, ...]
    signals: tuple[SignalDocument, ...] = Field(
        description="none in number.standing_changed, nor after a round of more than 200 caller IDs"
    )
    declined_share: Share | None = Field(description="declined / judged; null if none was judged")
    refused_ms: Millis | None = Field(description="median time from the INVITE to the refusal of the blocked calls")
    dispositions: dict[Disposition, int] = Field(description="all calls that were placed, by disposition")


class ChangeDocument(_Document):
    """A standing that changed, or (`reminder`) that goes on; `before` is null where there was no call before."""

    before: StandingDocument | None
    after: StandingDocument
    calls: tuple[CallDocument, ...] = Field(
        description="the calls that changed it, the oldest first, at most 20, and the control calls that settled them"
    )
    reminder: bool = Field(description="nothing changed: the number is still blocked")


class RoundDocument(_Document):
    """One round of a scenario."""

    id: Text
    scenario: Text | None
    started_at: Time
    ended_at: Time


class CountsDocument(_Document):
    """The calls of a round, counted."""

    planned: int
    placed: int = Field(description="an INVITE was due and the guard let it go")
    guarded: int = Field(description="refused by a guard rail; nothing was sent")
    inconclusive: int = Field(description="placed, but nothing could be learned")
    as_expected: int
    not_as_expected: int
    by_disposition: dict[Disposition, int] = Field(description="of the placed calls")


class RoundResultDocument(_Document):
    """The number-reputation results of a round."""

    round: RoundDocument
    counts: CountsDocument
    standing: tuple[StandingDocument, ...]


class _CallBlockedEvent(_Document):
    """A call whose notice or verdict says blocked."""

    type: Literal["call.blocked"]
    timestamp: Time
    data: CallDocument


class _RoundCompletedEvent(_Document):
    """A round is over: the standing of every caller ID it called."""

    type: Literal["round.completed"]
    timestamp: Time
    data: RoundResultDocument


class _StandingChangedEvent(_Document):
    """The standing of a caller ID on a network, or as a whole, changed."""

    type: Literal["number.standing_changed"]
    timestamp: Time
    data: ChangeDocument


class _WebhookTestEvent(_Document):
    """What `probe webhook test` sends."""

    type: Literal["webhook.test"]
    timestamp: Time
    data: dict[str, Any]


_PUBLISHED: dict[str, type[_Document]] = {
    "call": CallDocument,
    "explain": ExplainDocument,
    "standing": StandingDocument,
    "call.blocked": _CallBlockedEvent,
    "round.completed": _RoundCompletedEvent,
    "number.standing_changed": _StandingChangedEvent,
    "webhook.test": _WebhookTestEvent,
}


class _Schema(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False  # a title made from the key says nothing that the key does not


def document_schemas() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of every published document: a call, a standing, and each webhook body."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        name: dialect | document.model_json_schema(schema_generator=_Schema) for name, document in _PUBLISHED.items()
    }


def call_document(judged: JudgedCall, *, control: str | None = None) -> CallDocument:
    """Write one judged call as the interface has it; `control` is the id of the control call placed because of it."""
    record, said = judged.record, judged.conversation
    request = record.request
    return CallDocument(
        id=request.id,
        scenario=request.scenario,
        site=request.site,
        trunk=request.trunk,
        caller=request.caller,
        callee=request.callee,
        network=request.network,
        started_at=record.started_at,
        ended_at=record.ended_at,
        ending=record.ending,
        **_off_the_wire(said.final),
        provisional=said.provisional,
        timing=said.timing,
        notice=judged.notice,
        verdict=judged.verdict,
        expected=describe(request.expect) if request.expect else None,
        as_expected=judged.as_expected,
        sip_call_id=said.call_id,
        label=request.label,
        campaign=request.campaign,
        round=request.round,
        detail=record.detail,
        control_of=request.control_of,
        control=control,
        imported=record.imported,
        lead_source=request.lead_source,
        tags=request.tags,
        security=_security(record),
    )


def _security(record: CallRecord) -> SecurityDocument | None:
    if record.security is None:
        return None
    return SecurityDocument(
        tls_verify=record.security.tls_verify,
        srtp=record.security.srtp,
        media_encrypted=record.media.encrypted if record.media else None,
    )


def explain_document(response: Response, notice: Notice | None, verdict: Verdict) -> ExplainDocument:
    """Write what one final response means, with the next steps."""
    steps = next_steps(verdict, notice)
    return ExplainDocument(**_off_the_wire(response), notice=notice, verdict=verdict, next_steps=steps)


def standing_document(standing: Standing) -> StandingDocument:
    """Write one standing as the interface has it; shares and interval to three digits."""
    return StandingDocument.model_validate(standing)


def _off_the_wire(final: Response | None) -> dict[str, Any]:
    """Without a status line there is no phrase; an empty phrase is legal (RFC 3261 s25.1) and stays empty."""
    if final is None:
        return {"status": None, "phrase": None, "reasons": ()}
    return {
        "status": final.status,
        "phrase": None if final.status is None else final.phrase,
        "reasons": final.reasons,
    }
