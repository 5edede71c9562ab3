"""A message in; whether the SIP library could go where it leads, or is not to see it.

A child has one transport. Where the far end wants to be reached by another, the wheel aborts over the ACK that it
cannot send, and takes the calls beside it along. And where the far end's media is at a name, the library looks it up
itself and waits for it: some seconds each, in which no other call is heard. So such messages are kept from the library.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from probe.pjsip_module import register
from probe.sip import Response, read_response
from probe.trunk import Transport

_AHEAD_OF_TRANSACTIONS: Final = 9  # PJSIP_MOD_PRIORITY_TRANSPORT_LAYER + 1, behind the log
_OPENS: Final = re.compile(rb"SIP/2\.0 (?:2\d\d|1\d\d(?s:.*?)\n(?i:Require)[ \t]*:[^\n]*100rel)")
_KNOWN: Final = frozenset({"udp", "tcp", "tls", "dtls", "sctp", "loop", "loop-dgram"})  # any other name is no matter
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*+"')
_ADDRESS: Final = re.compile(r"<([^>]*)>")
_MEDIA_HOST: Final = re.compile(rb"^(?:c=|a=rtcp:)[^\r\n]*?IN[ \t]+IP[46][ \t]+([^\s/]+)", re.IGNORECASE | re.MULTILINE)
_URI: Final = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9+.-]*):([^?]*)")
_TRANSPORT: Final = re.compile(r";\s*transport\s*=\s*([^;]*)", re.IGNORECASE)


def leads_elsewhere(raw: bytes, ours: Transport) -> bool:
    """Say whether a response leads where a child that has only `ours` cannot send."""
    if _OPENS.match(raw) is None:
        return False
    response = read_response(raw)
    if not (response.header("CSeq") or "").endswith("INVITE"):
        return False
    uri = _URI.match(_next_hop(response))
    if uri is None:
        return False
    scheme, named = uri[1].lower(), _TRANSPORT.search(uri[2])
    if scheme not in {"sip", "sips"} or (scheme == "sips" and ours is not Transport.TLS):
        return True
    transport = unquote(named[1]).strip().lower() if named else ""
    return scheme == "sip" and transport in _KNOWN - {ours.value}


def names_a_host(raw: bytes) -> bool:
    """Say whether a message has SDP that gives a name in place of an address (RFC 4566 s5.7, RFC 3605)."""
    return not all(map(_is_address, _MEDIA_HOST.findall(raw)))


def _is_address(host: bytes) -> bool:
    try:
        ipaddress.ip_address(host.decode("latin-1"))
    except ValueError:
        return False
    return True


def _next_hop(response: Response) -> str:
    """Give the URI that comes first in a dialog of ours: the last Record-Route, or the Contact (RFC 3261 s12.1.2)."""
    routes = [_QUOTED.sub("", value) for name, value in response.headers if name.lower() == "record-route"]
    if routes and (found := _ADDRESS.findall(routes[-1])):
        return str(found[-1])
    contact = _QUOTED.sub("", response.header("Contact") or "")
    bracketed = _ADDRESS.search(contact)
    return bracketed[1] if bracketed else contact.partition(";")[0]


def keep_unreachable(file: str, stays: Callable[[], bool]) -> object:
    """Ask `stays` of each message, after it was logged; give what is to be kept for as long as the library runs.

    `file` is the loaded extension. RuntimeError if the library does not take the module.
    """

    def take(_message: int) -> int:
        return int(stays())

    name = b"mod-probe-unreachable"
    return register(file, name, _AHEAD_OF_TRANSACTIONS, on_rx_request=take, on_rx_response=take)
