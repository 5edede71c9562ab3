"""The SIP library below its API: modules of our own in its chain (pjsip/sip_module.h), which pjsua2 does not show.

Hence ctypes. The interpreter's lock is kept in every call: what the library logs meanwhile comes back into it.
"""

import ctypes
from collections.abc import Callable

_Ask = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class _Module(ctypes.Structure):
    """`struct pjsip_module`."""

    _fields_ = (
        ("prev", ctypes.c_void_p),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("name_length", ctypes.c_ssize_t),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("load", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("unload", ctypes.c_void_p),
        ("on_rx_request", _Ask),
        ("on_rx_response", _Ask),
        ("on_tx_request", _Ask),
        ("on_tx_response", _Ask),
        ("on_tsx_state", ctypes.c_void_p),
    )


def load(file: str) -> tuple[ctypes.PyDLL, ctypes.c_void_p]:
    """Give the running library and its endpoint; `file` is the extension that is loaded already."""
    library = ctypes.PyDLL(file)
    library.pjsua_get_pjsip_endpt.restype = ctypes.c_void_p
    return library, ctypes.c_void_p(library.pjsua_get_pjsip_endpt())


def register(file: str, name: bytes, priority: int, **asked: Callable[[int], int]) -> object:
    """Put a module into the chain; give what is to be kept for as long as the library runs.

    `asked` are fields of the module, such as `on_rx_request`, and what is called there with the address of the
    message. RuntimeError if the library does not take the module.
    """
    library, endpoint = load(file)
    callbacks = {field: _Ask(ask) for field, ask in asked.items()}
    module = _Module(name=name, name_length=len(name), id=-1, priority=priority, **callbacks)
    if library.pjsip_endpt_register_module(endpoint, ctypes.byref(module)):
        raise RuntimeError(f"the SIP library does not take the module {name.decode()}")
    return module
