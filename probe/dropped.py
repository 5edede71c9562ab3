"""What the SIP library cannot parse and drops in, its bytes out: the log ends them at the first NUL, this does not.

A callback that pjsua2 does not show (pjsip/sip_transport.h, `pjsip_tpmgr_set_drop_data_cb`): hence ctypes. The log has
said by then where the bytes come from.
"""

import ctypes
from collections.abc import Callable

from probe.pjsip_module import load


class _Dropped(ctypes.Structure):
    """`struct pjsip_tp_dropped_data`."""

    _fields_ = (
        ("transport", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("status", ctypes.c_int),
    )


_Tell = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Dropped))


def hear_dropped(file: str, tell: Callable[[bytes], None]) -> object:
    """Tell of whatever is dropped from now on; give what is to be kept for as long as the library runs.

    `file` is the loaded extension. RuntimeError if the library does not take the callback.
    """
    library, endpoint = load(file)
    library.pjsip_endpt_get_tpmgr.restype = ctypes.c_void_p
    transports = library.pjsip_endpt_get_tpmgr(endpoint)
    callback = _Tell(lambda dropped: tell(ctypes.string_at(dropped.contents.data, dropped.contents.size)))
    if library.pjsip_tpmgr_set_drop_data_cb(ctypes.c_void_p(transports), callback):
        raise RuntimeError("the SIP library does not tell of what it drops")
    return callback
