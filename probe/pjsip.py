"""The SIP stack in this process: calls to place or answer go in, messages as they went over the wire come out.

The only file that knows pjsua2. It runs in child processes: the library may abort the process it lives in.

One thread owns the stack: whoever calls `turn()`. Callbacks only note what happened; none may raise into C.
What is reported as heard comes from the library's message log, never from what it makes up about a call
(a 408 or 503 of its own, a 487 after our own hang-up).
"""

import contextlib
import ctypes
import importlib.metadata
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from probe.dropped import hear_dropped
from probe.sip.blanked import without_secrets
from probe.stack import Account, Build, Change, Happening, Incoming, Limits, Phase, Registered, Setup, Wire
from probe.trunk import Srtp, Transport
from probe.uninvited import refuse_uninvited
from probe.unreachable import keep_unreachable, leads_elsewhere, names_a_host
from probe.withheld import ANY_REALM, Realms, withhold

try:
    import pjsua2 as pj
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("pjsua2 is not installed; `make pjsua2` builds it for this Python") from error

VERSION: str = pj.Endpoint().libVersion().full
"""The pjproject release, such as 2.15.1."""

CODECS = ("PCMU/8000", "PCMA/8000", "G722/16000")
"""Offered in this order and no others: what trunks take."""

_MAX_CALLS = 65_536  # more than any build has: the library clamps it to its own without a word
_OWN_HANDLES = 16  # for transports and look-ups
_LOG_WORDS = 250  # what the log writes around a message
_MOST_RTP_PORTS = 16_384

_TRANSPORTS = {
    Transport.UDP: (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_UDP6),
    Transport.TCP: (pj.PJSIP_TRANSPORT_TCP, pj.PJSIP_TRANSPORT_TCP6),
    Transport.TLS: (pj.PJSIP_TRANSPORT_TLS, pj.PJSIP_TRANSPORT_TLS6),
}
_SRTP = {
    Srtp.OFF: pj.PJMEDIA_SRTP_DISABLED,
    Srtp.OPTIONAL: pj.PJMEDIA_SRTP_OPTIONAL,
    Srtp.REQUIRED: pj.PJMEDIA_SRTP_MANDATORY,
}
_FORBIDDEN = 403
_LOG_LEVEL = 4  # messages are logged from here on, and only if the console level is as high


class _Writer(pj.LogWriter):  # type: ignore[misc] # pjsua2 has no types
    def __init__(self, note: Callable[[float, str], None]) -> None:
        super().__init__()
        self.note = note

    def write(self, entry: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        self.note(time.monotonic(), entry.msg)


class _Endpoint(pj.Endpoint):  # type: ignore[misc] # pjsua2 has no types
    stack: "Stack"

    def onTransportState(self, prm: Any) -> None:  # noqa: ANN401, N802 - the library's name and type
        self.stack.transport_changed(prm)


class _Account(pj.Account):  # type: ignore[misc] # pjsua2 has no types
    def __init__(self, stack: "Stack") -> None:
        super().__init__()
        self._stack = stack

    def onIncomingCall(self, prm: Any) -> None:  # noqa: ANN401, N802 - the library's name and type
        self._stack.call_came_in(_Call(self._stack, self, prm.callId), prm.rdata.wholeMsg)

    def onRegState(self, prm: Any) -> None:  # noqa: ANN401, N802 - the library's name and type
        self._stack.registration_changed(prm)


class _Call(pj.Call):  # type: ignore[misc] # pjsua2 has no types
    def __init__(self, stack: "Stack", account: _Account, library_id: int = -1) -> None:
        super().__init__(account, library_id)
        self._stack = stack
        self.call_id = ""
        self.has_media = False
        self.rtp = (None, 0, 0, False)

    def onCallState(self, prm: Any) -> None:  # noqa: ANN401, N802 - the library's name and type
        self._stack.call_changed(self, prm)

    def onStreamDestroyed(self, prm: Any) -> None:  # noqa: ANN401, ARG002, N802 - the library's name and type
        self._stack.note_media(self)

    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: ANN401, N802 - the library's name and type
        prm.statusCode = _FORBIDDEN  # or the library would ring whomever a REFER names

    def onCallReplaceRequest(self, prm: Any) -> None:  # noqa: ANN401, N802 - the library's name and type
        prm.statusCode = _FORBIDDEN

    def onCallMediaState(self, prm: Any) -> None:  # noqa: ANN401, ARG002, N802 - the library's name and type
        self._stack.media_changed(self)


def read_build(setup: Setup, account: Account) -> Build:
    """Say what this build of the library is and can do; the stack is started for it."""
    stack = Stack(setup, account)
    return Build(native=_is_native(), version=VERSION, limits=stack.limits, tls=_tls_library(), srtp=_has_srtp())


def _is_native() -> bool:
    """Say whether `make pjsua2` made it: what is packed there names its maker."""
    try:
        packed = importlib.metadata.distribution("pjsua2-python").read_text("WHEEL")
    except importlib.metadata.PackageNotFoundError:
        return False
    return "Generator: probe\n" in (packed or "")


def _library() -> ctypes.CDLL:
    """The extension itself: pjsua2 leaves out what the library's C interface tells of its limits."""
    return ctypes.CDLL(_extension())


def _extension() -> str:
    loaded = next(module for name, module in sys.modules.items() if name.endswith("_pjsua2"))
    return str(loaded.__file__)


def _tls_library() -> str:
    """Name the OpenSSL that the library is linked with, in its own words: `OpenSSL 3.0.15 3 Sep 2024`."""
    library = _library()
    for name in ("OpenSSL_version", "SSLeay_version"):  # the latter up to 1.0
        if tell := getattr(library, name, None):
            tell.restype = ctypes.c_char_p
            return " ".join(tell(0).decode().split())
    return ""


def _has_srtp() -> bool:
    """Say whether the library was built with SRTP; without, it leaves the encryption out and does not say so."""
    return hasattr(_library(), "pjmedia_transport_srtp_create")


def _read_limits(writer: _Writer) -> Limits:
    """Ask the running library what it was compiled for; nothing here depends on which build it is.

    A call keeps two handles (RTP and RTCP) until 500 ms after its end, and the wheel aborts when it runs out of
    them: so many starts a second that the last half second's and those under way have theirs.
    """
    said: list[str] = []
    note, writer.note = writer.note, lambda _at, text: said.append(text)
    library = _library()
    library.pj_dump_config()
    library.pjsip_dump_config()
    writer.note = note
    compiled = {name: int(value) for name, value in _CONSTANT.findall("\n".join(said))}
    handles = min(compiled["PJ_IOQUEUE_MAX_HANDLES"], _open_files())
    calls = min(library.pjsua_call_get_max_count(), max(1, handles // 4))
    return Limits(
        calls=calls,
        starts_per_second=max(1.0, float(handles - 2 * calls - _OWN_HANDLES)),
        message_bytes=min(compiled["PJSIP_MAX_PKT_LEN"], compiled["PJ_LOG_MAX_SIZE"] - _LOG_WORDS),
    )


def _open_files() -> int:
    """Raise the number of files that this process may have open to what the machine allows, and tell it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has a lower bound than the one it tells
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if allowed == resource.RLIM_INFINITY else allowed


_CONSTANT = re.compile(r"^ *(PJ\w+) *: *(\d+)$", re.MULTILINE)
_ENTRY = re.compile(r"(TX|RX) (\d+) bytes (?:Request|Response) msg [^\n]*? (?:to|from) (\w+) (\S+):\n")
_END = "\n--end msg--"
_FINAL = re.compile(rb"SIP/2\.0 [2-6]\d\d(?s:.*?)\nCSeq[ \t]*:[ \t]*\d+[ \t]+(?:INVITE|BYE)", re.IGNORECASE)
_RESPONSE = b"SIP/2.0 "
_FIRST_WORDS = frozenset({"TX", "RX", "TCP", "TLS", "Failed", "Error", "Dropping"})
_CONNECTING = re.compile(r"(?:TCP|TLS) transport (\S+) is connecting to")
_TROUBLE = re.compile(
    r"(TCP|TLS) connect\(\) error: \[code=\d+\](?: peer: [^:]*)?:? *(.*)"
    r"|Failed to (?:send) .*err=\d+ \((.*)\)"
    r"|Failed to (resolve '[^']*'): .*"
)
# Two ways to lose a message: too large for the library's buffer (on a stream), or a header it cannot parse.
_OVERFLOW = re.compile(r"Error processing packet from (\S+): Rx buffer overflow[^\n]*\n")
_DROPPING = re.compile(r"Dropping \d+ bytes packet from (\w+) (\S+) : ")
# A response may follow what its sender wrote beyond the end of the message before it.
_START_LINE = re.compile(rb"SIP/2\.0 \d{3}|^[A-Z]+ \S+ SIP/2\.0", re.MULTILINE)
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)


def _to_bytes(text: str) -> bytes:
    # SWIG hands over bytes that are not UTF-8 as lone surrogates.
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class _Arrival:
    at: float
    transport: str
    remote: str


def _call_id_of(raw: bytes) -> str:
    found = _CALL_ID.search(raw)
    return found[1].decode("latin-1") if found else ""


def _bracketed(endpoint: str) -> str:
    """Write an IPv6 endpoint as `[host]:port`, where the log has `host:port`."""
    host, _, port = endpoint.rpartition(":")
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else endpoint


def _in_words(trouble: re.Match[str]) -> str:
    transport, why, unsent, unresolved = trouble.groups()
    if unresolved:
        return f"cannot {unresolved}"
    if transport and why.startswith("End of file"):
        return f"{transport} connection failed: the far end closed it"
    return f"{transport} connection failed: {why}" if transport else str(unsent)


def _named(codec: str) -> bool:
    return any(codec.startswith(wanted) for wanted in CODECS)


class Stack:
    """A running SIP stack. `happenings` fills while `turn()` runs; the owner takes and empties it."""

    def __init__(self, setup: Setup, account: Account) -> None:
        """Start the stack and create its transport and account. RuntimeError says what the library refused."""
        self.happenings: list[Happening] = []
        self._setup = setup
        self._account_setup = account
        self._calls: dict[str, _Call] = {}
        self._open: set[str] = set()
        self._unsent: list[Wire] = []
        self._asked = b""
        self._stream_up = setup.transport is Transport.UDP
        self._trouble: str | None = None
        self._dropping: _Arrival | None = None
        self._registered = False
        self._realms = Realms({account.realm} - {ANY_REALM})
        self._leaves = True
        self._stays = False
        self._local = ""
        self._writer = _Writer(self._logged)  # a strong reference: the library keeps none
        try:
            self._start()
        except pj.Error as error:
            raise RuntimeError(error.reason) from error

    def _start(self) -> None:
        if self._setup.srtp is not Srtp.OFF and not _has_srtp():
            raise RuntimeError("this pjsua2 was built without SRTP; take srtp out of the trunk, or run `make pjsua2`")
        self._endpoint = _Endpoint()
        self._endpoint.stack = self
        self._endpoint.libCreate()
        self._endpoint.libInit(self._endpoint_config())
        self.limits = _read_limits(self._writer)
        if not self._setup.takes_calls:
            self._refusal = refuse_uninvited(_extension(), self._take_asked)
        self._hooks = (
            hear_dropped(_extension(), self._dropped),
            withhold(_extension(), self._may_leave),
            keep_unreachable(_extension(), self._is_to_stay),
        )
        self._endpoint.audDevManager().setNullDev()
        kind = _TRANSPORTS[self._setup.transport][self._setup.ipv6]
        self._transport_id = self._endpoint.transportCreate(
            kind, self._transport_config(self._setup.port, self._setup.bind)
        )
        self._local = _bracketed(self._endpoint.transportGetInfo(self._transport_id).localName)
        self._endpoint.libStart()
        for codec in self._endpoint.codecEnum2():
            if not _named(codec.codecId):
                self._endpoint.codecSetPriority(codec.codecId, 0)
        for rank, name in enumerate(CODECS):
            self._prefer(name, 255 - rank)
        self._account = _Account(self)
        self._account.create(self._account_config())

    def _prefer(self, codec: str, priority: int) -> None:
        try:
            self._endpoint.codecSetPriority(codec, priority)
        except pj.Error:
            return  # a build without G.722 offers the other two

    def _endpoint_config(self) -> Any:  # noqa: ANN401 - pjsua2 has no types
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = _MAX_CALLS
        config.uaConfig.userAgent = self._setup.user_agent
        if self._setup.stun:
            config.uaConfig.stunServer.append(self._setup.stun)
            config.uaConfig.stunIgnoreFailure = False
        for nameserver in self._setup.nameservers:
            config.uaConfig.nameserver.append(nameserver)
        config.logConfig.msgLogging = 1
        config.logConfig.level = config.logConfig.consoleLevel = _LOG_LEVEL
        config.logConfig.decor = 0
        config.logConfig.writer = self._writer
        config.medConfig.noVad = True  # silence is sent too: an answered call has RTP both ways
        config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
        config.medConfig.ecTailLen = 0
        return config

    def _transport_config(self, port: int, bind: str) -> Any:  # noqa: ANN401 - pjsua2 has no types
        config = pj.TransportConfig()
        config.port = port
        config.boundAddress = bind
        config.publicAddress = self._setup.public_address
        tls = self._setup.tls
        config.tlsConfig.verifyServer = tls.verify
        config.tlsConfig.CaListFile = tls.ca_file or ""
        config.tlsConfig.certFile = tls.cert_file or ""
        config.tlsConfig.privKeyFile = tls.key_file or ""
        # 0 would be the library's choice, which still has SSLv3 in the wheel.
        config.tlsConfig.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | getattr(pj, "PJ_SSL_SOCK_PROTO_TLS1_3", 0)
        return config

    def _account_config(self) -> Any:  # noqa: ANN401 - pjsua2 has no types
        setup = self._account_setup
        config = pj.AccountConfig()
        config.idUri = setup.uri
        # Without it the library looks for an IPv4 transport, whatever there is.
        config.sipConfig.transportId = self._transport_id
        if setup.username is not None:
            credentials = pj.AuthCredInfo("digest", setup.realm, setup.username, 0, setup.password or "")
            config.sipConfig.authCreds.append(credentials)
        for proxy in setup.proxies:
            config.sipConfig.proxies.append(proxy)
        if setup.registrar:
            config.regConfig.registrarUri = setup.registrar
            config.regConfig.timeoutSec = 300
            config.regConfig.retryIntervalSec = 0  # the parent decides whether to try again
        if setup.contact:
            config.sipConfig.contactForced = setup.contact
        config.callConfig.prackUse = pj.PJSUA_100REL_OPTIONAL
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        config.natConfig.udpKaIntervalSec = setup.keep_alive_s
        config.natConfig.sipStunUse = pj.PJSUA_STUN_USE_DEFAULT if self._setup.stun else pj.PJSUA_STUN_USE_DISABLED
        config.natConfig.mediaStunUse = config.natConfig.sipStunUse
        # Without STUN the contact is what the user stated, or our own address: it is not rewritten behind his back.
        config.natConfig.contactRewriteUse = 0 if self._setup.public_address else 2
        config.mediaConfig.srtpUse = _SRTP[self._setup.srtp]
        config.mediaConfig.srtpSecureSignaling = 0  # `probe validate` warns where keys go without TLS
        # The wheel is built without IPv6 for media, and aborts when it is asked for.
        config.mediaConfig.transportConfig = self._transport_config(self._setup.rtp_port, self._setup.media_bind)
        # The library tries a hundred ports in a row: there are to be far more than those in use.
        config.mediaConfig.transportConfig.portRange = min(_MOST_RTP_PORTS, max(1000, 8 * self.limits.calls))
        return config

    @property
    def local(self) -> str:
        """The address of the SIP transport, `host:port`."""
        return self._local

    @property
    def calls(self) -> tuple[str, ...]:
        """The Call-IDs of the calls that are not over."""
        return tuple(self._calls)

    @property
    def busy(self) -> bool:
        """Whether there is a call, or an INVITE or BYE without its answer; the library calls those over too early."""
        return bool(self._calls or self._open)

    @property
    def registered(self) -> bool:
        """Whether the registrar knows us."""
        return self._registered

    def turn(self, limit_ms: int) -> None:
        """Let the stack work for at most `limit_ms` milliseconds."""
        self._endpoint.libHandleEvents(limit_ms)

    def dial(self, call_id: str, target: str, caller: str, headers: Sequence[tuple[str, str]]) -> None:
        """Send an INVITE to `target` (a URI) with `caller` (a URI) in From. RuntimeError if it could not be made."""
        if not self._calls:
            self._trouble = None
        call = _Call(self, self._account)
        call.call_id = call_id
        self._calls[call_id] = call
        prm = _with_headers(headers)
        prm.txOption.localUri = caller
        prm.opt.customCallId = call_id
        try:
            call.makeCall(target, prm)
        except pj.Error as error:
            # A transport that fails at once has already ended the call, with its own words.
            if self._calls.pop(call_id, None) is not None:
                raise RuntimeError(error.reason) from error

    def hang_up(self, call_id: str) -> None:
        """End a call: CANCEL while it rings, BYE once it is answered. No status is passed: it would be recorded."""
        call = self._calls.get(call_id)
        if call is not None:
            self.note_media(call)
            self._quietly(call.hangup, pj.CallOpParam())

    def leave(self) -> None:
        """Hang up whatever is left and unregister."""
        for call_id in self.calls:
            self.hang_up(call_id)
        if self._account_setup.registrar:
            self._quietly(self._account.setRegistration, False)

    def answer(self, call_id: str, status: int, phrase: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer an incoming call with a provisional or final response."""
        call = self._calls.get(call_id)
        if call is None:
            return
        prm = _with_headers(headers)
        prm.statusCode = status
        prm.reason = phrase
        self._quietly(call.answer, prm)

    def hang_up_with(self, call_id: str, headers: Sequence[tuple[str, str]]) -> None:
        """End an answered call by a BYE that carries `headers`."""
        call = self._calls.get(call_id)
        if call is not None:
            self._quietly(call.hangup, _with_headers(headers))

    def send_options(self, target: str) -> None:
        """Send OPTIONS to `target`; the answer comes as a Wire."""
        prm = pj.SendRequestParam()
        prm.method = "OPTIONS"
        prm.txOption.targetUri = target
        self._quietly(self._account.sendRequest, prm)

    def _quietly(self, act: Callable[[Any], None], prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        # A call may end by itself in the moment that we act on it; its end is reported anyway.
        with contextlib.suppress(pj.Error):
            act(prm)

    # What the library calls, from within turn() or from within the methods above.

    def _logged(self, at: float, text: str) -> None:
        # Twenty entries a call come by, and most of them are of no use here.
        first, _, _ = text.partition(" ")
        if first not in _FIRST_WORDS and "connecting" not in text:
            return
        if entry := _ENTRY.match(text):
            self._message(at, entry, text[entry.end() :])
        elif match := _CONNECTING.search(text):
            self._local, self._trouble = _bracketed(match[1]), None
        elif match := _TROUBLE.match(text):
            self._trouble = self._trouble or _in_words(match)
        elif match := _OVERFLOW.match(text):
            arrived = _Arrival(at, self._setup.transport.upper(), match[1])
            self._lost(arrived, _to_bytes(text[match.end() :]), whole=False)
        elif match := _DROPPING.match(text):
            self._dropping = _Arrival(at, match[1], match[2])

    def _message(self, at: float, entry: re.Match[str], body: str) -> None:
        # The log ends a text at its first NUL and at its own limit; the size stands in front of it.
        raw = _to_bytes(body.removesuffix(_END))
        if entry[1] == "TX" and not self._realms.allow(raw):
            self._leaves = False
            return
        if entry[1] == "RX":
            self._stays = leads_elsewhere(raw, self._setup.transport) or names_a_host(raw)
            if not raw.startswith(_RESPONSE):
                self._asked = raw.partition(b" ")[0]
        if self._is_strange(raw, sent=entry[1] == "TX"):
            return
        wire = self._wire(_Arrival(at, entry[3], entry[4]), raw, cut=len(raw) < int(entry[2]))
        if entry[1] == "RX":
            if _FINAL.match(raw):
                self._open.discard(wire.call_id)
            self.happenings.append(replace(wire, dropped=self._stays))
            return
        if raw.startswith((b"INVITE ", b"BYE ")):
            self._open.add(wire.call_id)
        wire = replace(wire, sent=True)
        # On a stream that is still being set up the log shows a message before it leaves.
        (self.happenings if self._stream_up else self._unsent).append(wire)

    def _may_leave(self) -> bool:
        """Say whether the message that was logged last may leave."""
        leaves, self._leaves = self._leaves, True
        return leaves

    def _is_to_stay(self) -> bool:
        """Say whether the message that was logged last is not for the library."""
        stays, self._stays = self._stays, False
        return stays

    def _dropped(self, raw: bytes) -> None:
        if self._dropping is not None:
            arrived, self._dropping = self._dropping, None
            self._lost(arrived, raw, whole=True)

    def _lost(self, arrived: "_Arrival", body: bytes, *, whole: bool) -> None:
        """Keep what the log shows of a message that the library cannot take: it never becomes an event."""
        start = _START_LINE.search(body)
        if start:
            raw = body[start.start() :]
            if not self._is_strange(raw, sent=False):
                self.happenings.append(replace(self._wire(arrived, raw, cut=not whole), dropped=True))

    def _is_strange(self, raw: bytes, *, sent: bool) -> bool:
        """Say whether it is a request of none of our calls, or our answer to one: a flood of them goes no further."""
        if raw.startswith(_RESPONSE) is not sent:
            return False
        call_id = _call_id_of(raw)
        return call_id not in self._calls and call_id not in self._open

    def _take_asked(self) -> bytes:
        """Give the method of the request that was logged last, once: it is the one that is being read."""
        asked, self._asked = self._asked, b""
        return asked

    def _wire(self, arrived: "_Arrival", raw: bytes, *, cut: bool) -> Wire:
        return Wire(
            call_id=_call_id_of(raw),
            at=arrived.at,
            sent=False,
            transport=arrived.transport,
            local=self._local,
            remote=_bracketed(arrived.remote),
            raw=without_secrets(raw, self._setup.secret_headers),
            cut=cut,
            dropped=False,
        )

    def transport_changed(self, prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        """Note that a stream came up or went down."""
        if self._setup.transport is Transport.UDP:
            return
        if prm.state == pj.PJSIP_TP_STATE_CONNECTED:
            self._connected()
        elif prm.state == pj.PJSIP_TP_STATE_DISCONNECTED:
            self._stream_up = False
            self._unsent.clear()
            if prm.tlsInfo.verifyStatus and not prm.tlsInfo.isEmpty():
                self._trouble = "TLS connection failed: " + "; ".join(prm.tlsInfo.verifyMsgs)

    def _connected(self) -> None:
        now = time.monotonic()
        self._stream_up = True
        self.happenings.extend(replace(wire, at=now, local=self._local) for wire in self._unsent)
        self._unsent.clear()

    def registration_changed(self, prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        """Note the registrar's answer. A status that nobody sent (timer, transport) is not one."""
        heard = bool(prm.rdata.wholeMsg)
        trouble = None if heard else self._trouble or prm.reason
        self._registered = heard and prm.code // 100 == 2 and prm.expiration > 0  # noqa: PLR2004 - 2xx
        self.happenings.append(Registered(status=prm.code if heard else 0, phrase=prm.reason, trouble=trouble))

    def call_came_in(self, call: _Call, raw: str) -> None:
        """Note an INVITE from outside; the owner answers it."""
        call.call_id = _call_id_of(_to_bytes(raw))
        self._calls[call.call_id] = call
        self.happenings.append(Incoming(call_id=call.call_id, raw=_to_bytes(raw)))

    def call_changed(self, call: _Call, prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        """Note that a call was answered or is over."""
        state = call.getInfo().state
        if state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.happenings.append(Change(call_id=call.call_id, phase=Phase.ANSWERED))
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._call_ended(call, prm)

    def _call_ended(self, call: _Call, prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        self.note_media(call)
        self._calls.pop(call.call_id, None)
        failed = prm.e.type == pj.PJSIP_EVENT_TSX_STATE and prm.e.body.tsxState.type == pj.PJSIP_EVENT_TRANSPORT_ERROR
        trouble = (self._trouble or "the connection was closed before an answer came") if failed else None
        codec, sent, received, encrypted = call.rtp
        self.happenings.append(
            Change(
                call_id=call.call_id,
                phase=Phase.ENDED,
                trouble=trouble,
                codec=codec,
                rtp_sent=sent,
                rtp_received=received,
                encrypted=encrypted,
            )
        )

    def media_changed(self, call: _Call) -> None:
        """Let RTP flow: the null device's silence goes into every call that has media."""
        try:
            if call.hasMedia():
                call.has_media = True
                self._endpoint.audDevManager().getCaptureDevMedia().startTransmit(call.getAudioMedia(-1))
        except pj.Error:
            return  # the call ended in this moment

    def note_media(self, call: _Call) -> None:
        """Keep what has flowed so far."""
        if not call.has_media:
            return  # to be told so by the library takes longer than all the rest of a call's end
        try:
            statistics = call.getStreamStat(0).rtcp
            codec = call.getStreamInfo(0).codecName
            # The profile in SDP does not tell: where SRTP is optional, RTP/AVP has keys too. The library's report does.
            encrypted = self._setup.srtp is not Srtp.OFF and "SRTP status: Active" in call.dump(True, "")
        except pj.Error:
            return  # there was no media
        call.rtp = (codec, statistics.txStat.pkt, statistics.rxStat.pkt, encrypted)


def _with_headers(headers: Sequence[tuple[str, str]]) -> Any:  # noqa: ANN401 - pjsua2 has no types
    prm = pj.CallOpParam(True)
    prm.opt.videoCount = 0
    if hasattr(prm.opt, "textCount"):  # from 2.17 on; 1 would put an m=text line in every INVITE
        prm.opt.textCount = 0
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        prm.txOption.headers.append(header)
    return prm
