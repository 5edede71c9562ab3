"""One judged call in, what it says of its caller ID out: the few facts that standing and signals are made from."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from probe.call import LOCAL, Ending
from probe.judged import JudgedCall
from probe.verdict import Disposition, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """What a notice says of its blocker; texts as received, never to be used by a program.

    `call_info` is the URI of a 608's card (RFC 8688).
    """

    url: str | None = None
    tel: str | None = None
    email: str | None = None
    id: str | None = None
    location: str | None = None
    call_info: str | None = None


class Observation(NamedTuple):
    """What one call says. Times are UTC; `alerting_ms` (to the first 180) and `final_ms` count from the INVITE.

    `timezone` is that of the called party, where it is known. A tuple, for there are millions where all calls are added
    up again, and one is made in a fifth of the time.
    """

    call_id: str
    caller: str
    callee: str
    network: str | None
    trunk: str
    started_at: datetime
    ended_at: datetime
    disposition: Disposition
    campaign: str | None = None
    label: str | None = None
    lead_source: str | None = None
    tags: tuple[str, ...] = ()
    timezone: str | None = None
    status: int | None = None
    alerting_ms: float | None = None
    final_ms: float | None = None
    contacts: Contacts | None = None
    control_of: str | None = None
    site: str = LOCAL


def observe(judged: JudgedCall) -> Observation | None:
    """Say what a call says of its caller ID; None for one that the guard refused."""
    record, said = judged.record, judged.conversation
    if record.ending is Ending.GUARDED:
        return None
    request = record.request
    return Observation(
        call_id=request.id,
        caller=request.caller,
        callee=request.callee,
        network=request.network,
        trunk=request.trunk,
        started_at=record.started_at,
        ended_at=record.ended_at,
        disposition=judged.verdict.disposition,
        campaign=request.campaign,
        label=request.label,
        lead_source=request.lead_source,
        tags=request.tags,
        timezone=request.timezone,
        status=said.final.status if said.final else None,
        alerting_ms=said.timing.alerting_ms,
        final_ms=said.timing.final_ms,
        contacts=_contacts(judged.notice),
        control_of=request.control_of,
        site=request.site,
    )


def _contacts(notice: Notice | None) -> Contacts | None:
    if notice is None:
        return None
    return Contacts(
        url=notice.url,
        tel=notice.tel,
        email=notice.email,
        id=notice.id,
        location=notice.location,
        call_info=notice.call_info,
    )
