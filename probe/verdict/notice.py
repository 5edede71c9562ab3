"""A final response in, the notice of a block that it carries out: 603+, 607 or 608, and how well it is made."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from probe.call import Card, CardState
from probe.sip.reason import Reason, printable
from probe.sip.response import Response
from probe.sip.visible import has_control, visible
from probe.verdict.jcard import JCard, read_jcard
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
_CARD_FAULTS = {
    "two_call_infos": "the response names two cards, and does not say which of them speaks for it",
    "bad_call_info": "the address of the card is no safe public https address",
}
_MOST_PAIRS = 32  # five have a meaning; more are there to harm
_SEPARATORS = re.compile(r"[-.()]")  # RFC 3966 s3: visual separators
_CALL_INFO = re.compile(r"<([^<>]*+)>([^,<]*+)")


class Conformance(StrEnum):
    """How well a notice keeps its standard."""

    CONFORMANT = "conformant"
    DEVIANT = "deviant"
    REMAPPED = "remapped"  # it stands under another status code


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeCard:
    """The signed card of a 608: where it stands, whether it can be believed, and why not.

    The contacts are those of a verified card, in its own words and with their flaws; of any other there are none.
    `iat` is when it was signed, in seconds since 1970.
    """

    uri: str
    state: CardState
    why: str | None
    fn: str | None = None
    url: tuple[str, ...] = ()
    tel: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    adr: tuple[str, ...] = ()
    iat: int | None = None
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a blocker says of itself. Values are raw and untrusted: show them, never open, call or mail them unseen.

    `kind` is `603+` (ATIS-1000099), `607` (RFC 8197) or `608` (RFC 8688). `call_info` is the URI of a 608's signed
    jCard, `card` what is known of it.
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
    card: NoticeCard | None = None

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


def may_be_fetched(notice: Notice) -> bool:
    """Say whether a notice names a card that can be asked for; where is a question of its own (`probe.fetching`)."""
    return notice.card is not None and "two_call_infos" not in notice.flaws


def with_card(notice: Notice, card: Card) -> Notice:
    """Add to a notice what came of its card."""
    if card.state is not CardState.VERIFIED or card.jws is None:
        return replace(notice, card=NoticeCard(uri=card.uri, state=card.state, why=card.why))
    read = read_jcard(card.jws)
    found = NoticeCard(
        uri=card.uri,
        state=card.state,
        why=card.why,
        fn=read.fn,
        url=read.url,
        tel=read.tel,
        email=read.email,
        adr=read.adr,
        iat=read.iat,
        flaws=_contact_flaws(read),
    )
    return replace(notice, card=found)


def _contact_flaws(card: JCard) -> tuple[str, ...]:
    """Find contacts to mistrust: a signature says who wrote them, and nothing of what they lead to."""
    tel = (tel_flaw(_SEPARATORS.sub("", value.removeprefix("tel:").partition(";")[0])) for value in card.tel)
    email = (email_flaw(value.removeprefix("mailto:")) for value in card.email)
    return tuple(sorted({flaw for flaw in (*map(url_flaw, card.url), *tel, *email) if flaw}))


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
    card = _unfetched(uri, flaws) if uri else None
    return replace(_notice("608", conformance, flaws, avp, analytics), call_info=uri, card=card)


def _read_call_info(response: Response) -> tuple[str | None, list[str]]:
    """Give the first address of a card; another one beside it may be anybody's."""
    found = [
        uri
        for value in response.all("call-info")
        for uri, params in _CALL_INFO.findall(value)
        if "purpose=jwscard" in params.replace(" ", "").lower()
    ]
    if not found:
        return None, ["no_call_info"]
    two = ["two_call_infos"] if len(set(found)) > 1 else []
    return found[0], [*two, *([] if is_public_https(found[0]) else ["bad_call_info"])]


def _unfetched(uri: str, flaws: list[str]) -> NoticeCard:
    """Say what is known of a card that nobody fetched."""
    for flaw, why in _CARD_FAULTS.items():
        if flaw in flaws:
            return NoticeCard(uri=uri, state=CardState.REFUSED, why=why)
    return NoticeCard(uri=uri, state=CardState.UNVERIFIED, why="the card was not fetched")


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
