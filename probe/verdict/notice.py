"""A final response in, the notice of a block that it carries out: 603+, 607 or 608, and how well it is made."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from probe.sip.reason import Reason, printable
from probe.sip.response import Response
from probe.sip.visible import has_control, visible
from probe.verdict.jcard import JCard
from probe.verdict.redress import email_flaw, id_flaw, is_public_https, tel_flaw, url_flaw

NETWORK_BLOCKED = "network blocked"
_DECLINE = 603
_UNWANTED = 607
_REJECTED = 608
_FAILURE = 300

# ATIS-1000099: the two forms of the Reason, and who may name itself as the blocker.
_CAUSE_OF = {"sip": 603, "q.850": 21}
_LOCATIONS = frozenset({"LN", "TN", "RLN", "LPN", "RPN"})
_ATTRIBUTES = ("v", "url", "tel", "email", "id")
_FLAW_OF: dict[str, Callable[[str], str | None]] = {
    "url": url_flaw,
    "tel": tel_flaw,
    "email": email_flaw,
    "id": id_flaw,
}
_CONTACTS = ("url", "tel", "email")
_VERSION = "analytics1"
_MOST_PAIRS = 32  # five have a meaning; more are there to harm
_CALL_INFO = re.compile(r"<([^<>]*+)>([^,<]*+)")


class Conformance(StrEnum):
    """How well a notice keeps its standard."""

    CONFORMANT = "conformant"
    DEVIANT = "deviant"
    REMAPPED = "remapped"  # it stands under another status code


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a blocker says of itself. Values are raw and untrusted: show them, never open, call or mail them unseen.

    `kind` is `603+` (ATIS-1000099), `607` (RFC 8197) or `608` (RFC 8688). `call_info` is the URI of a 608's signed
    jCard, `jcard` what was read from it, if it was given.
    """

    kind: str
    conformance: Conformance
    flaws: tuple[str, ...] = ()
    version: str | None = None
    url: str | None = None
    tel: str | None = None
    email: str | None = None
    id: str | None = None
    location: str | None = None
    call_info: str | None = None
    jcard: JCard | None = None

    @property
    def avp(self) -> dict[str, str]:
        """The attribute-value pairs that the notice gives, under their names on the wire."""
        values = (self.version, self.url, self.tel, self.email, self.id)
        return {name: value for name, value in zip(_ATTRIBUTES, values, strict=True) if value is not None}


def read_notice(response: Response) -> Notice | None:
    """Read the notice of a final response; None where it carries none, and always for an answered call."""
    status = response.status
    if status is None or status < _FAILURE:
        return None
    analytics = find_analytics(response)
    if status == _REJECTED:
        return _rejected(response, analytics)
    if analytics:
        return _analytics(response, analytics)
    if status == _DECLINE and is_network_blocked(response):
        return _stripped(response)
    if status == _UNWANTED:
        return Notice(kind="607", conformance=Conformance.CONFORMANT)
    return _by_cause(response)


def find_analytics(response: Response) -> Reason | None:
    """Give the first Reason of a known protocol that speaks as `v=analytics...`, in its text or in parameters."""
    return next((r for r in response.reasons if r.protocol.lower() in _CAUSE_OF and _speaks_analytics(r)), None)


def is_network_blocked(response: Response) -> bool:
    """Say whether the phrase is `Network Blocked`, whatever its case, blanks and control characters."""
    return " ".join(visible(response.phrase).split()).lower() == NETWORK_BLOCKED


def _speaks_analytics(reason: Reason) -> bool:
    text = (reason.text or "").lower()
    if text.startswith("v=analytics"):
        return True
    pairs = [*(_pairs(text) if "analytics" in text else ()), *reason.params]
    return any(name == "v" and value.lower().startswith("analytics") for name, value in pairs)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Split the text of a Reason into attribute-value pairs, names in lower case; no `=` gives an empty name."""
    pairs = []
    for piece in text.split(";", _MOST_PAIRS):
        name, equals, value = piece.partition("=")
        pairs.append((name.strip().lower(), value.strip()) if equals else ("", piece.strip()))
    return pairs


def _analytics(response: Response, reason: Reason) -> Notice:
    avp, flaws = _read_avp(reason)
    flaws += [*reason.flaws, *_header_flaws(response, reason)]
    conformance = Conformance.DEVIANT if flaws else Conformance.CONFORMANT
    if response.status != _DECLINE:
        flaws.append("status_remapped")
        conformance = Conformance.REMAPPED
    return _notice("603+", conformance, flaws, avp, reason)


def _read_avp(reason: Reason) -> tuple[dict[str, str], list[str]]:
    """Read the attribute-value pairs of an analytics Reason, and what is wrong with them."""
    avp: dict[str, str] = {}
    flaws = []
    in_text = _pairs(reason.text or "")
    if not any(name == "v" for name, _ in in_text):
        in_text = []  # prose: the pairs stand as parameters of the Reason
    for name, value in in_text:
        flaws += _add(avp, name, value)
    strays = [(name, value) for name, value in reason.params if name in _ATTRIBUTES]
    for name, value in strays:
        flaws += _add(avp, name, value)
    if strays:
        flaws.append("avp_as_header_param")
    if in_text and in_text[0][0] != "v":
        flaws.append("v_not_first")
    return avp, flaws + _value_flaws(avp)


def _add(avp: dict[str, str], name: str, value: str) -> list[str]:
    if not name:
        return ["malformed_avp"] if value else []  # a semicolon at the end is harmless
    if name not in _ATTRIBUTES:
        return [f"unknown_avp:{printable(name)}"]
    if name in avp:
        return [f"duplicate_avp:{name}"]
    avp[name] = value
    return []


def _value_flaws(avp: dict[str, str]) -> list[str]:
    flaws = [flaw for name, check in _FLAW_OF.items() if name in avp and (flaw := check(avp[name]))]
    if not any(name in avp for name in _CONTACTS):
        flaws.append("no_redress_contact")
    if avp["v"].lower() != _VERSION:
        flaws.append(f"unknown_version:{printable(avp['v'])}")
    return flaws


def _header_flaws(response: Response, reason: Reason) -> list[str]:
    flaws = []
    if response.status == _DECLINE and not is_network_blocked(response):
        flaws.append("phrase_rewritten")
    if reason.cause != _CAUSE_OF[reason.protocol.lower()]:
        flaws.append("wrong_cause")
    if reason.location is None:
        flaws.append("no_location")
    elif reason.location.upper() not in _LOCATIONS:
        flaws.append("bad_location")
    if has_control(response.phrase) or has_control(reason.text or ""):
        flaws.append("control_characters")
    return flaws


def _stripped(response: Response) -> Notice:
    flaws = ["no_v_analytics_text"]
    if has_control(response.phrase):
        flaws.append("control_characters")
    return Notice(kind="603+", conformance=Conformance.DEVIANT, flaws=tuple(sorted(flaws)))


def _rejected(response: Response, analytics: Reason | None) -> Notice:
    """Read a 608; its redress contact is a Call-Info (RFC 8688 s3.1), which may be missing, and rarely a Reason."""
    uri, flaws = _read_call_info(response)
    conformance = Conformance.DEVIANT if "bad_call_info" in flaws else Conformance.CONFORMANT
    avp: dict[str, str] = {}
    if analytics:
        avp, avp_flaws = _read_avp(analytics)
        flaws += [*avp_flaws, *analytics.flaws]
    return replace(_notice("608", conformance, flaws, avp, analytics), call_info=uri)


def _read_call_info(response: Response) -> tuple[str | None, list[str]]:
    for value in response.all("call-info"):
        for uri, params in _CALL_INFO.findall(value):
            if "purpose=jwscard" in params.replace(" ", "").lower():
                return uri, [] if is_public_https(uri) else ["bad_call_info"]
    return None, ["no_call_info"]


def _by_cause(response: Response) -> Notice | None:
    """Find 607 or 608 as the cause of a SIP Reason under another status (RFC 8197 s4, RFC 8688 s3)."""
    for reason in response.reasons:
        if reason.protocol.lower() == "sip" and reason.cause in (_UNWANTED, _REJECTED):
            # Under 603 it is the same word, said one class finer; elsewhere somebody changed the status.
            flaws = () if response.status == _DECLINE else ("status_remapped",)
            return Notice(kind=str(reason.cause), conformance=Conformance.REMAPPED, flaws=flaws)
    return None


def _notice(
    kind: str, conformance: Conformance, flaws: list[str], avp: dict[str, str], reason: Reason | None
) -> Notice:
    return Notice(
        kind=kind,
        conformance=conformance,
        flaws=tuple(sorted(set(flaws))),
        version=avp.get("v"),
        url=avp.get("url"),
        tel=avp.get("tel"),
        email=avp.get("email"),
        id=avp.get("id"),
        location=reason.location if reason else None,
    )
