"""A message in; its Call-ID and, for an INVITE, who calls whom, out."""

import re
from dataclasses import dataclass

from probe.sip import read_request

_USER = re.compile(r"sips?:([^@;>\s]+)@", re.IGNORECASE)
_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
# A carrier trusts the asserted identity most and From least (RFC 3325 s9).
_IDENTITIES = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "From")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """Who calls whom: the numbers as they stand in the URIs."""

    caller: str
    callee: str


def read_invite(raw: bytes) -> Invite | None:
    """Read an INVITE; anything else gives None."""
    request = read_request(raw)
    if request is None or request.method != "INVITE":
        return None
    identities = (_user(request.header(name) or "") for name in _IDENTITIES)
    return Invite(caller=next(filter(None, identities), ""), callee=_user(request.uri))


def read_call_id(raw: bytes) -> str:
    """Find the Call-ID of any message; empty when there is none."""
    found = _CALL_ID.search(raw)
    return found[1].decode("latin-1") if found else ""


def _user(uri: str) -> str:
    found = _USER.search(uri)
    return found[1] if found else ""
