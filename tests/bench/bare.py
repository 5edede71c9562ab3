"""A loop on pjsua2 that keeps nothing: what the library itself can do. `bare.py PORT CALLS AT_ONCE STARTS_PER_SECOND`.

Prints one line of JSON when every call is over: seconds, processor seconds, megabytes, and how many were refused.
"""

import json
import os
import resource
import sys
import time
from typing import Any

import pjsua2 as pj

REFUSED = 603


class _Call(pj.Call):
    def __init__(self, loop: "Loop") -> None:
        super().__init__(loop.account)
        self._loop = loop

    def onCallState(self, prm: Any) -> None:  # noqa: ARG002, N802 - the library's name and type
        if self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._loop.ended(self)


class Loop:
    """Keeps so many calls under way until all have been placed."""

    def __init__(self, port: int, at_once: int) -> None:
        self._target = f"sip:+12025550199@127.0.0.1:{port}"
        self._at_once = at_once
        self.refused = 0
        self.over = 0
        self._living: set[_Call] = set()
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        self._endpoint.libInit(_config(at_once))
        self._endpoint.audDevManager().setNullDev()
        transport = pj.TransportConfig()
        transport.boundAddress = "127.0.0.1"
        self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self._endpoint.libStart()
        self.account = pj.Account()
        account = pj.AccountConfig()
        account.idUri = "sip:+12025550101@127.0.0.1"
        account.mediaConfig.transportConfig.port = 10_000
        account.mediaConfig.transportConfig.portRange = 20_000
        self.account.create(account)

    def ended(self, call: _Call) -> None:
        self.over += 1
        self.refused += call.getInfo().lastStatusCode == REFUSED
        self._living.discard(call)

    def run(self, calls: int, starts_per_second: float) -> None:
        placed = 0
        began = time.monotonic()
        while self.over < calls:
            due = (time.monotonic() - began) * starts_per_second + 1
            while placed < min(calls, due) and len(self._living) < self._at_once:
                call = _Call(self)
                self._living.add(call)
                call.makeCall(self._target, _offer())
                placed += 1
            self._endpoint.libHandleEvents(1)


def _offer() -> Any:
    prm = pj.CallOpParam(True)
    prm.opt.videoCount = 0
    if hasattr(prm.opt, "textCount"):
        prm.opt.textCount = 0
    return prm


def _config(at_once: int) -> Any:
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.maxCalls = at_once
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    return config


def main() -> None:
    port, calls, at_once = map(int, sys.argv[1:4])
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library prints on fd 1
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = Loop(port, at_once)
    began, used = time.monotonic(), time.process_time()
    loop.run(calls, float(sys.argv[4]))
    figures = {
        "seconds": time.monotonic() - began,
        "cpu_s": time.process_time() - used,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "refused": loop.refused,
    }
    os.write(out, json.dumps(figures).encode() + b"\n")
    os._exit(0)  # libDestroy() would take a second


if __name__ == "__main__":
    main()
