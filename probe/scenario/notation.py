"""One value as it is written in a scenario file in; what it means out, or ValueError that says what to write instead.

The sentences of the errors go on from the value: `"25 s"` + `is not a duration; write it as 25s, 500ms, 2h, 10m or 1d.`
They never repeat the value, which may be a secret.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from probe.call import LOCAL
from probe.event import STANDING_CHANGED
from probe.expectation import DISPOSITIONS
from probe.phone import barred, normalise
from probe.scenario.scenario import Hours, Maintenance, Rate
from probe.sip.reason import read_reasons
from probe.trunk import IdentityHeader, Srtp, Transport

EVENTS = ("round.completed", STANDING_CHANGED, "call.blocked")
VERIFY_OFF = "no-anyone-can-listen-in"

_YES = ("true", "yes", "on")
_NO = ("false", "no", "off")

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}\.?")
_URI = re.compile(
    r"(?P<scheme>sips?):(?P<host>\[[^\]]*\]|[^:;\[\]]*)(?::(?P<port>[0-9]+))?"
    r"(?:;transport=(?P<transport>udp|tcp|tls))?(?P<lr>;lr)?",
    re.IGNORECASE,
)

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")  # RFC 3261 s25.1
_COMPACT = {"c", "e", "f", "i", "k", "l", "m", "s", "t", "v", "x"}  # one-letter forms of headers listed below
# What the user agent writes itself (RFC 3261 s20): a second one would break the call or lie about it.
_OWNED = _COMPACT | {
    "authorization",
    "call-id",
    "contact",
    "cseq",
    "from",
    "max-forwards",
    "mime-version",
    "proxy-authorization",
    "record-route",
    "route",
    "session-expires",
    "supported",
    "to",
    "via",
}
_IDENTITY = {header.value for header in IdentityHeader}

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MAINTENANCE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})/(?:([0-9]{4}-[0-9]{2}-[0-9]{2})T)?([0-9]{2}:[0-9]{2}) (\S+)"
)

_CRON_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    # Numbers are left out: 0 is Sunday to cron and Monday to others.
    ("weekday", 1, 0, WEEKDAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SipUri:
    """Where a SIP URI leads. `port` and `transport` None mean: not said."""

    host: str
    port: int | None = None
    transport: Transport | None = None


def read_text(text: str) -> str:
    """Take any text that says something."""
    if not text.strip():
        raise ValueError("is empty; write something or take the key out.")
    return text


def read_name(text: str) -> str:
    """Read a short name: letters, digits and `._-`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("is not a name; use up to 64 letters, digits, dots, hyphens and underscores.")
    return text


def read_site(text: str) -> str:
    """Read the name of a site; this machine's own calls have the name `local`."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,23}", text) or text == LOCAL:
        raise ValueError(
            "is not a site; use up to 24 small letters, digits and hyphens, but not local, which is this machine."
        )
    return text


def read_number(text: str) -> str:
    """Read a phone number into strict E.164."""
    number = normalise(text)
    if number is None:
        raise ValueError("is not a phone number; write it as +12025550101.")
    return number


def read_destination(text: str) -> str:
    """Read a phone number; one that is never dialled stays as written, so that the guard can refuse and record it."""
    number = normalise(text)
    if number is None and barred(text):
        return text
    return number or read_number(text)


def read_yes(text: str) -> bool:
    if text.lower() not in _YES + _NO:
        raise ValueError("is neither true nor false; write true or false.")
    return text.lower() in _YES


def read_verify(text: str) -> bool:
    """Read whether the trunk's certificate is checked; only a value that names the danger turns it off."""
    if text == VERIFY_OFF:
        return False
    if text.lower() in _NO:
        raise ValueError(f"would let anyone on the way listen in; if that is meant, write {VERIFY_OFF}.")
    return read_yes(text)


def read_srtp(text: str) -> Srtp:
    """Read whether media is encrypted."""
    if text.lower() not in set(Srtp):
        raise ValueError(_one_of(text.lower(), [choice.value for choice in Srtp], "choice for SRTP"))
    return Srtp(text.lower())


def read_duration(text: str) -> int:
    """Read `25s`, `500ms`, `2h`, `10m` or `1d` into milliseconds."""
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", text, re.ASCII)
    if not found:
        raise ValueError("is not a duration; write it as 25s, 500ms, 2h, 10m or 1d.")
    return int(found[1]) * _UNITS_MS[found[2]]


def read_duration_between(text: str, low: str, high: str) -> int:
    """Read a duration that is at least `low` and at most `high` into milliseconds."""
    duration = read_duration(text)
    if not read_duration(low) <= duration <= read_duration(high):
        raise ValueError(f"is out of range; write a duration from {low} to {high}.")
    return duration


def read_whole(text: str, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`."""
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise ValueError(f"is not a whole number from {low} to {high}; write one.")
    return int(text)


def read_calls_per_second(text: str) -> float:
    """Read a rate such as 1, 0.5 or 20."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text, re.ASCII) or not 0 < float(text) <= 100:  # noqa: PLR2004 - as in the message
        raise ValueError("is not a number above 0 and up to 100; write one such as 1 or 0.5.")
    return float(text)


def read_none(text: str) -> str:
    """Take the one word that stands for no limits."""
    if text != "none":
        raise ValueError("is neither a table of limits nor the word none; write one of the two.")
    return text


def read_rate(text: str) -> Rate:
    """Read `3/15m`: at most three calls in any fifteen minutes."""
    count, slash, window = text.partition("/")
    if not slash or not re.fullmatch(r"[1-9][0-9]{0,5}", count):
        raise ValueError("is not a rate; write it as 3/15m.")
    try:
        window_ms = read_duration(window)
    except ValueError as error:
        raise ValueError("is not a rate; write it as 3/15m.") from error
    if window_ms < 1000:  # noqa: PLR2004 - milliseconds in a second, the finest window that is kept
        raise ValueError("is a rate with a window under 1s; write it as 3/15m.")
    return Rate(count=int(count), window_s=window_ms // 1000)


def read_hours(text: str) -> Hours:
    """Read `09:00-20:00` into minutes after midnight; 24:00 is the end of the day."""
    found = re.fullmatch(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])", text, re.ASCII)
    opens, closes = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (1, 0)
    if not opens < closes <= 24 * 60:
        raise ValueError('is not a span of hours within one day; write it as "09:00-20:00".')
    return Hours(opens=opens, closes=closes)


def read_weekday(text: str) -> int:
    """Read the name of a weekday; Monday is 0."""
    if text not in WEEKDAYS:
        raise ValueError("is not a weekday; use mon, tue, wed, thu, fri, sat and sun.")
    return WEEKDAYS.index(text)


def read_clock(text: str) -> int:
    """Read a time of day, `09:30`, into minutes after midnight."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        raise ValueError('is not a time of day; write it as "09:30".')
    return int(text[:2]) * 60 + int(text[3:])


def read_date(text: str) -> date:
    """Read a day of the calendar, `2026-12-25`."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise ValueError("is not a date; write it as 2026-12-25.") from error


def read_maintenance(text: str) -> Maintenance:
    """Read `2026-11-22T01:00/02:00 America/New_York`; the end may have a date of its own."""
    found = _MAINTENANCE.fullmatch(text)
    try:
        if not found:
            raise ValueError  # noqa: TRY301 - one sentence for every way to get it wrong
        zone = ZoneInfo(read_timezone(found[5]))
        starts_at = datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=zone).astimezone(UTC)
        ends_at = datetime.fromisoformat(f"{found[3] or found[1]}T{found[4]}").replace(tzinfo=zone).astimezone(UTC)
    except ValueError as error:
        raise ValueError("is no maintenance window; write it as 2026-11-22T01:00/02:00 America/New_York.") from error
    if ends_at <= starts_at:
        raise ValueError("ends before it starts; if it ends the next day, write that day's date before its end.")
    return Maintenance(starts_at=starts_at, ends_at=ends_at)


def read_money(text: str) -> Decimal:
    """Read an amount such as 5, 0.0085 or 12.50, in the currency of the trunk's bill."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text, re.ASCII):
        raise ValueError("is not an amount; write it as 5, 0.0085 or 12.50, without a currency.")
    return Decimal(text)


def read_cron(text: str) -> str:
    """Check five cron fields: minute, hour, day, month, weekday."""
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError("is not a cron line; write its five fields: minute, hour, day, month, weekday.")
    for field, (name, low, high, names) in zip(fields, _CRON_FIELDS, strict=True):
        if not all(_is_cron_item(item, low, high, names) for item in field.lower().split(",")):
            allowed = f"{names[0]} to {names[-1]}" if names and low > high else f"{low} to {high}"
            raise ValueError(f"has a wrong {name} field; use *, {allowed}, ranges, lists and steps such as */2.")
    return " ".join(fields)


def read_timezone(text: str) -> str:
    """Check the name of a time zone (IANA)."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is not a time zone; write it as America/New_York.") from error
    return text


def read_host(text: str) -> str:
    """Read a host name or an address; an IPv6 address may stand in brackets, and is given back without them."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_address(bare) or (bare == text and _HOST.fullmatch(text) and not re.fullmatch(r"[0-9.]+", text)):
        return bare
    raise ValueError("is not a host; write a name such as sbc.example.com or an address such as 192.0.2.10.")


def read_address(text: str) -> str:
    """Read an IP address, without brackets."""
    if not _is_address(text):
        raise ValueError("is not an IP address; write it as 192.0.2.10 or 2001:db8::10.")
    return text


def read_host_port(text: str) -> str:
    """Check `host` or `host:port` (`[2001:db8::10]:3478` for IPv6)."""
    if _is_address(text):
        return text
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", text, re.ASCII)
    if not found:
        raise ValueError("is not a host with a port; write it as stun.example.com:3478.")
    read_host(found[1])
    _port(found[2])
    return text


def read_nameserver(text: str) -> str:
    """Check `address` or `address:port`."""
    host = re.fullmatch(r"\[([^\]]*)\](?::[0-9]+)?|([^:]*):[0-9]+", text, re.ASCII)
    if not _is_address(text) and not (host and _is_address(host[1] or host[2])):
        raise ValueError("is not a nameserver's address; write it as 192.0.2.53 or 192.0.2.53:5353.")
    return read_host_port(text)


def read_uri(text: str) -> SipUri:
    """Read `sip:host[:port][;transport=udp|tcp|tls]` or `sips:host[:port]`; an outbound proxy may end in `;lr`.

    RFC 3261 s19.1.
    """
    if "@" in text:
        raise ValueError("holds a user name; take it out of the URI and use the keys username and password.")
    found = _URI.fullmatch(text)
    if not found:
        raise ValueError("is not a SIP URI of a host; write it as sip:sbc.example.com:5061;transport=tls.")
    transport = Transport(found["transport"].lower()) if found["transport"] else None
    if found["scheme"].lower() == "sips":
        if transport is Transport.UDP:
            raise ValueError("asks for TLS by sips: and for udp at once; take one of the two out.")
        transport = Transport.TLS
    return SipUri(host=_uri_host(found["host"]), port=_port(found["port"]), transport=transport)


def read_proxy(text: str) -> str:
    """Check the URI of an outbound proxy."""
    read_uri(text)
    return text


def read_user(text: str) -> str:
    """Check a user name or realm, which travels inside quotes and URIs."""
    if not text.isprintable() or not re.fullmatch(r'[^\s"\\<>]+', text):
        raise ValueError('holds a blank or one of "\\<>; a user name and a realm have none of these.')
    return text


def read_identity(text: str) -> IdentityHeader:
    """Read the name of a header that carries the caller ID."""
    if text.lower() not in _IDENTITY:
        raise ValueError(_one_of(text.lower(), [header.value for header in IdentityHeader], "header for the caller ID"))
    return IdentityHeader(text.lower())


def read_header_name(text: str) -> str:
    """Check the name of an extra header: a token that is not one of SIP's own headers."""
    name = text.lower()
    if not _TOKEN.fullmatch(text):
        raise ValueError("is not a header name; write it as X-Account.")
    if name in _IDENTITY:
        raise ValueError("carries the caller ID; list it under the key identity.")
    if name in _OWNED or name.startswith("content-"):
        raise ValueError("is a header that the user agent writes itself; take it out.")
    return text


def read_header_value(text: str) -> str:
    """Check the value of an extra header."""
    if len(read_text(text)) > 500:  # noqa: PLR2004 - a request should fit one UDP packet (RFC 3261 s18.1.1)
        raise ValueError("is longer than 500 characters; make it shorter.")
    return text


def read_sent_reason(text: str) -> str:
    """Check the value of the Reason header of a 603+ (ATIS-1000099): one value, well written, with its own words."""
    reasons = read_reasons([text])
    if len(reasons) != 1 or reasons[0].flaws or not (reasons[0].text or "").lower().startswith("v=analytics"):
        raise ValueError(
            "is not the Reason of a 603+; write it as "
            'SIP;cause=603;text="v=analytics1;url=https://example.com/r;id=probe-1";location=RLN.'
        )
    return read_header_value(text)


def read_disposition(text: str) -> str:
    """Check the name of a disposition."""
    if text not in DISPOSITIONS:
        raise ValueError(_one_of(text, DISPOSITIONS, "disposition"))
    return text


def read_event(text: str) -> str:
    """Check the type of a webhook event."""
    if text not in EVENTS:
        raise ValueError(_one_of(text, EVENTS, "webhook event"))
    return text


def read_web_address(text: str) -> str:
    """Check the URL of a webhook."""
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and url.hostname and (url.port or 0) >= 0
    except ValueError:
        usable = False
    if not usable or " " in text:
        raise ValueError("is not a web address; write it as https://hooks.example.com/number-health.")
    return text


def read_network(text: str) -> IPv4Network | IPv6Network:
    """Read a range of addresses, 10.1.2.0/24."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError("is not a network; write it as 10.1.2.0/24.") from error


def read_webhook_secret(text: str) -> str:
    """Check a Standard Webhooks secret: `whsec_` and 24 to 64 bytes in base64."""
    try:
        key = b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:  # noqa: PLR2004 - Standard Webhooks, "Signature scheme"
        raise ValueError("is not a webhook secret; set it to whsec_ and 24 to 64 bytes in base64.")
    return text


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine by its very name or address."""
    if _is_address(host):
        address = ip_address(host)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback
    return host.lower().rstrip(".") == "localhost"


def nearest(word: str, words: tuple[str, ...] | list[str]) -> str:
    """Return the hint that helps somebody who wrote a word which is not among those known."""
    close = get_close_matches(word.lower(), words, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of {', '.join(words)}."


def _one_of(text: str, words: tuple[str, ...] | list[str], kind: str) -> str:
    return f"is not a {kind}; {nearest(text, words)}"


def _is_address(text: str) -> bool:
    if "%" in text:  # a zone index cannot stand in a SIP URI (RFC 3261 s25.1)
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _uri_host(text: str) -> str:
    """Read the host of a URI, where IPv6 has to stand in brackets."""
    try:
        host = read_host(text)
    except ValueError as error:
        raise ValueError("names no host; write it as sip:sbc.example.com or sip:[2001:db8::10].") from error
    if (":" in host) != text.startswith("["):
        raise ValueError("names no host; write it as sip:sbc.example.com or sip:[2001:db8::10].")
    return host


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > 5 or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - the width and range of a port
        raise ValueError("has a port outside 1 to 65535; write one inside.")
    return int(text)


def _is_cron_item(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    """Say whether one item of a cron field's list is sound: `*`, `*/2`, `5`, `10-18`, `10-18/2`, `mon-fri`."""
    span, slash, step = item.partition("/")
    if slash and not re.fullmatch(r"[1-9][0-9]?", step, re.ASCII):
        return False
    if span == "*":
        return True
    ends = [_cron_place(end, low, high, names) for end in span.split("-")]
    known = [end for end in ends if end is not None]
    return len(known) == len(ends) <= 2 and known == sorted(known) and (not slash or len(ends) == 2)  # noqa: PLR2004 - both ends


def _cron_place(text: str, low: int, high: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return low + names.index(text)
    if re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) and low <= int(text) <= high:
        return int(text)
    return None


def is_clean(text: str) -> bool:
    """Say whether a text holds only what can be seen, and blanks."""
    return text.isprintable()


def shown(text: str) -> str:
    """Quote a text of the file for a message: short, and with nothing in it that moves a cursor."""
    text = re.sub(r":\S*@", ":…@", text)  # a password in a URI
    short = text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - what fits a line beside the sentence
    return '"' + "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in short) + '"'
