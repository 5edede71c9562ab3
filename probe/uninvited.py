"""Requests of strangers in, a refusal out, before the SIP library makes calls or subscriptions of them.

A module in the library's own chain. It stands behind the layer of dialogs, which has taken what belongs to a call by
then and has answered 481 to what only claims to.
An INVITE that went on would take one of the library's calls and two of its handles: a few dozen in half a second
abort the wheel.
"""

import ctypes
import time
from collections.abc import Callable
from typing import Final

from probe.pjsip_module import load, register

_BEHIND_DIALOGS: Final = 33  # PJSIP_MOD_PRIORITY_UA_PROXY_LAYER + 1
_FORBIDDEN: Final = 403
_LEFT_TO_THE_LIBRARY: Final = frozenset({b"OPTIONS"})  # carriers ask by it whether we are there; it answers 200
_UNANSWERABLE: Final = frozenset({b"ACK", b""})  # RFC 3261 s17; the library aborts where an ACK is answered

_ANSWERS_PER_SECOND: Final = 100  # in a flood the rest is dropped: nobody else is flooded with what we answer


class _Budget:
    """Answers that may be given in this second."""

    def __init__(self) -> None:
        self._second, self._left = 0, 0

    def take_one(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._left = second, _ANSWERS_PER_SECOND
        self._left -= 1
        return self._left >= 0


def refuse_uninvited(file: str, asked: Callable[[], bytes]) -> object:
    """Answer 403 to requests that belong to no dialog; give what is to be kept for as long as the library runs.

    `file` is the loaded extension, `asked` gives the method of the request that is being read. RuntimeError if the
    library does not take the module.
    """
    library, endpoint = load(file)
    budget = _Budget()

    def take(message: int) -> int:
        method = asked()
        if method in _UNANSWERABLE or not budget.take_one():
            return 1
        if method in _LEFT_TO_THE_LIBRARY:
            return 0
        library.pjsip_endpt_respond_stateless(endpoint, ctypes.c_void_p(message), _FORBIDDEN, None, None, None)
        return 1

    return register(file, b"mod-probe-uninvited", _BEHIND_DIALOGS, on_rx_request=take)
