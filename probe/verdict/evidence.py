"""A case and its finding in; the lines of evidence out, for people who know call centres and not SIP."""

from probe.sip.visible import visible
from probe.verdict.disposition import Finding
from probe.verdict.heard import Case
from probe.verdict.notice import Notice

_LENGTH = 300

# ATIS-1000099 and RFC 8606.
_PLACES = {
    "LN": "the network that serves the caller",
    "TN": "a network in between",
    "RLN": "the network serving the called party",
    "LPN": "the caller's private network",
    "RPN": "the private network serving the called party",
}

# Flags that change what a reader should make of the call; a flag `name:detail` is looked up by its name.
_MEANINGS = {
    "answered_and_dropped": "The far end hung up within a second of answering.",
    "avp_as_header_param": "Parts of the notice stand where the standard does not put them.",
    "bad_call_info": "The address for complaints is not a safe public one.",
    "bad_id": "The blocker's reference holds characters that the standard forbids.",
    "bad_redress_email": "The e-mail address for complaints is not a plain valid one; do not use it as it is.",
    "bad_redress_tel": "The telephone number for complaints is not in international form.",
    "bad_redress_url": "The web address for complaints is not a safe public https address; do not open it as it is.",
    "bad_location": "It names the place of the block by a word that the standard does not know.",
    "conflicting_reasons": "Another Reason beside it says something else and is not believed.",
    "control_characters": "It holds invisible control characters, which are left out here.",
    "message_cut": "Only the beginning of the message could be kept.",
    "no_call_info": "It gives no address for complaints, which RFC 8688 allows.",
    "no_location": "It does not say which network blocked the call.",
    "no_redress_contact": "It gives no contact for complaints, though the standard asks for one.",
    "premium_redress_tel": "The telephone number for complaints costs a premium; do not call it.",
    "stir_error": "The network found fault with the signature of the caller ID.",
    "two_call_infos": "It gives two addresses for complaints, and does not say which of them is its own.",
    "unknown_reason_protocol": "A Reason of an unknown kind was not believed.",
    "unterminated_quote": "The notice was cut off on the way.",
}


def evidence(case: Case, finding: Finding, flags: tuple[str, ...]) -> tuple[str, ...]:
    """Write the lines, most important first, without control characters."""
    lines = [*_said(case), finding.because, *_detail(case), *_notice_lines(case.notice)]
    lines += [meaning for flag in flags if (meaning := _MEANINGS.get(flag.partition(":")[0]))]
    return tuple([shown(line) for line in dict.fromkeys(lines)])


def shown(text: str) -> str:
    """Cut a text with words from the wire to what may be shown."""
    return visible(text)[:_LENGTH]


def _said(case: Case) -> list[str]:
    response = case.response
    if response is None or response.status is None:
        return []
    said = f"{response.status} {response.phrase}".rstrip()
    return [f"The network said: {said}{_when(case)}."]


def _when(case: Case) -> str:
    final_ms = case.heard.final_ms
    if final_ms is None:
        return ""
    return f", {_duration(final_ms)} after the call started and {_after_what(case, final_ms)}"


def _after_what(case: Case, final_ms: float) -> str:
    heard = case.heard
    if heard.alerting_ms is not None:
        return f"after the phone had rung for {_duration(final_ms - heard.alerting_ms)}"
    if heard.early_media_ms is not None:
        return f"after {_duration(final_ms - heard.early_media_ms)} of sound without ringing"
    return "before the phone rang"


def _duration(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"  # noqa: PLR2004 - a second


def _detail(case: Case) -> list[str]:
    return [f"In the words of our own side: {case.heard.detail}"] if case.heard.detail else []


def _notice_lines(notice: Notice | None) -> list[str]:
    if notice is None:
        return []
    lines = []
    place = _PLACES.get((notice.location or "").upper())
    if place:
        lines.append(f"It names the blocker as {place} ({notice.location}).")
    contacts = [value for value in (notice.url, notice.tel, notice.email, notice.call_info) if value]
    if contacts:
        lines.append(f"It gives a contact for complaints (not verified): {', '.join(contacts)}")
    if notice.id:
        lines.append(f"The blocker's reference is {notice.id}")
    return lines
