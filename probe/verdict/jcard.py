"""The JWS of a 608's Call-Info in, its jCard out: read, never verified (RFC 8688 s3.2, RFC 7515, RFC 7095)."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

_MAX_SIZE = 64 * 1024
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_CONTACTS = ("fn", "url", "tel", "email", "adr")


@dataclass(frozen=True, slots=True, kw_only=True)
class JCard:
    """Whom a 608 names for complaints, in its own words; `probe.verdict.card` says whether to believe them.

    `iat` is in seconds since 1970. `flaws` says what could not be read or breaks RFC 8688.
    """

    fn: str | None = None
    url: tuple[str, ...] = ()
    tel: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    adr: tuple[str, ...] = ()
    iat: int | None = None
    alg: str | None = None
    typ: str | None = None
    x5u: str | None = None
    flaws: tuple[str, ...] = ()


def read_jcard(jws: str | bytes) -> JCard:
    """Read the jCard of a JWS in compact form; neither its signature nor its age is checked. Never raises."""
    text = jws.decode("latin-1") if isinstance(jws, bytes) else jws
    if len(text) > _MAX_SIZE:
        return JCard(flaws=("jws_too_large",))
    parts = text.strip().split(".")
    if len(parts) != 3:  # noqa: PLR2004 - RFC 7515 s3.1: header, payload, signature
        return JCard(flaws=("jws_not_three_parts",))
    header, payload = _read_json(parts[0]), _read_json(parts[1])
    card = _properties(payload.get("jcard"))
    iat = payload.get("iat")
    return JCard(
        fn=next(iter(card["fn"]), None),
        url=card["url"],
        tel=card["tel"],
        email=card["email"],
        adr=card["adr"],
        iat=iat if _is_time(iat) else None,
        alg=_text(header.get("alg")),
        typ=_text(header.get("typ")),
        x5u=_text(header.get("x5u")),
        flaws=tuple(_flaws(header, payload, card, parts[2])),
    )


def read_jose_header(jws: bytes) -> dict[str, Any]:
    """Read the header of a JWS in compact form; empty where there is none to read. Never raises."""
    return _read_json(jws.decode("latin-1").strip().partition(".")[0])


def _flaws(
    header: dict[str, Any], payload: dict[str, Any], card: dict[str, tuple[str, ...]], signature: str
) -> list[str]:
    found = {
        "jws_bad_header": not header,
        "jws_bad_payload": not payload,
        "jws_no_signature": not _BASE64URL.fullmatch(signature),
        "jws_wrong_alg": bool(header) and header.get("alg") != "ES256",
        "jws_wrong_typ": bool(header) and header.get("typ") != "vcard+json",
        "jws_no_x5u": bool(header) and _text(header.get("x5u")) is None,
        "jws_no_iat": bool(payload) and not _is_time(payload.get("iat")),
        "jcard_no_contact": not any(card[name] for name in _CONTACTS[1:]),
    }
    return [flaw for flaw, is_so in found.items() if is_so]


def _read_json(part: str) -> dict[str, Any]:
    """Read one base64url part as a JSON object; anything else gives an empty one."""
    if not _BASE64URL.fullmatch(part):
        return {}
    try:
        read = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError, binascii.Error):  # not base64, not JSON, or nested to harm us
        return {}
    return read if isinstance(read, dict) else {}


def _properties(jcard: object) -> dict[str, tuple[str, ...]]:
    """Read the contact properties of `["vcard", [[name, params, type, value...]...]]` (RFC 7095 s3)."""
    found: dict[str, list[str]] = {name: [] for name in _CONTACTS}
    rows = jcard[1] if isinstance(jcard, list) and len(jcard) > 1 and isinstance(jcard[1], list) else []
    for row in rows:
        if isinstance(row, list) and len(row) > 3 and isinstance(row[0], str) and row[0].lower() in found:  # noqa: PLR2004 - RFC 7095 s3.3: four elements at least
            found[row[0].lower()] += [text for value in row[3:] if (text := _flat(value))]
    return {name: tuple(values) for name, values in found.items()}


def _flat(value: object) -> str:
    """Write a value as text; a structured one, such as an address, with commas."""
    if isinstance(value, list):
        return ", ".join([item for item in value if isinstance(item, str) and item])
    return value if isinstance(value, str) else ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
