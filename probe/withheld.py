"""A message that the SIP library is about to send in; whether it leaves out: credentials go to nobody but who may ask.

The library answers whoever challenges a BYE, for whatever realm. A module in its chain is asked last, behind the log,
and what it refuses is not sent.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from probe.pjsip_module import register
from probe.sip import read_request

_BEHIND_THE_LOG: Final = 6  # PJSIP_MOD_PRIORITY_TRANSPORT_LAYER - 2: what is sent goes through the chain from its end
_CANCELLED: Final = 70014  # PJ_ECANCELLED
_OPENING: Final = frozenset({"INVITE", "REGISTER", "OPTIONS"})
_REALM: Final = re.compile(r'\brealm[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))', re.IGNORECASE)
_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization"})
ANY_REALM: Final = "*"
"""What stands for every realm, where a trunk names none."""


@dataclass(slots=True)
class Realms:
    """The realms that got our credentials when a call or registration was set up: within a call nobody else does."""

    known: set[str] = field(default_factory=set)

    def allow(self, raw: bytes) -> bool:
        """Say whether a message of ours may leave with the credentials that it has."""
        if b"uthorization:" not in raw:  # as the library writes it
            return True
        request = read_request(raw)
        if request is None:
            return True
        values = [value for name, value in request.headers if name.lower() in _CREDENTIALS]
        realms = {quoted or bare for value in values for quoted, bare in _REALM.findall(value)}
        if request.method in _OPENING and ";tag=" not in (request.header("To") or "").lower():
            self.known |= realms
        return realms <= self.known


def withhold(file: str, leaves: Callable[[], bool]) -> object:
    """Ask `leaves` of each request, after it was logged; give what is to be kept for as long as the library runs.

    `file` is the loaded extension. RuntimeError if the library does not take the module.
    """
    return register(
        file, b"mod-probe-withheld", _BEHIND_THE_LOG, on_tx_request=lambda _message: 0 if leaves() else _CANCELLED
    )
