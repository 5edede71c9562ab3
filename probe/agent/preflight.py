"""A trunk in, what can be known of it without ringing anyone out: DNS, transport, TLS, registration, OPTIONS."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from probe import __version__
from probe.agent.dialling import Route, account, setup, target_uri
from probe.agent.line import Options, Report, Start
from probe.agent.process import Child, start_child
from probe.agent.resolve import Hop, local_address, next_hop
from probe.errors import AgentError, TrunkError
from probe.sip import Response, read_response
from probe.stack import Registered, Wire
from probe.trunk import Transport, Trunk

_PATIENCE_S = 8.0
_RTP_PORT = 31_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tested. `ok` None: it was not tested, for the reason given."""

    what: str
    ok: bool | None
    words: str


async def inspect(trunk: Trunk) -> tuple[Finding, ...]:
    """Test a trunk step by step, as far as each step allows the next."""
    findings: list[Finding] = []
    try:
        hop = await _resolve(trunk, findings)
        if hop is not None and await _reach(trunk, hop, findings):
            await _talk(Route(trunk=trunk, hop=hop, local=local_address(hop)), findings)
    except (TrunkError, AgentError) as error:
        findings.append(Finding(what="agent", ok=False, words=str(error)))
    return tuple(findings)


async def _resolve(trunk: Trunk, findings: list[Finding]) -> Hop | None:
    try:
        hop = await next_hop(trunk)
    except TrunkError as error:
        findings.append(Finding(what="dns", ok=False, words=str(error)))
        return None
    how = " (by SRV)" if hop.by_srv else ""
    findings.append(Finding(what="dns", ok=True, words=f"{hop.host} is {hop.address}:{hop.port}/{hop.transport}{how}"))
    return hop


async def _reach(trunk: Trunk, hop: Hop, findings: list[Finding]) -> bool:
    if hop.transport is Transport.UDP:
        findings.append(Finding(what="transport", ok=None, words="UDP has no connection; OPTIONS will tell"))
        return True
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(
                hop.address, hop.port, ssl=_tls(trunk, hop), server_hostname=_certified_name(hop)
            )
    except ssl.SSLCertVerificationError as error:
        findings.append(Finding(what="tls", ok=False, words=f"the certificate is refused: {error.verify_message}"))
        return False
    except (OSError, TimeoutError) as error:
        words = f"no {hop.transport} connection to {hop.address}:{hop.port}: {_why(error)}"
        findings.append(Finding(what="transport", ok=False, words=words))
        return False
    findings.extend(_connection(writer, hop))
    writer.close()
    return True


def _tls(trunk: Trunk, hop: Hop) -> ssl.SSLContext | None:
    if hop.transport is not Transport.TLS:
        return None
    context = ssl.create_default_context(cafile=trunk.tls_ca_file)
    if not trunk.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if trunk.tls_cert_file:
        context.load_cert_chain(trunk.tls_cert_file, trunk.tls_key_file)
    return context


def _certified_name(hop: Hop) -> str | None:
    """RFC 5922 s4: the certificate is to name the domain that was asked for, not the host that SRV gave."""
    return hop.host if hop.transport is Transport.TLS else None


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else "no answer in time"


def _connection(writer: asyncio.StreamWriter, hop: Hop) -> list[Finding]:
    found = [Finding(what="transport", ok=True, words=f"{hop.transport} connection to {hop.address}:{hop.port}")]
    secured = writer.get_extra_info("ssl_object")
    certificate = secured.getpeercert() if secured else None
    if certificate:
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
        words = f"{secured.version()}, certificate good until {ends:%Y-%m-%d}"
        found.append(Finding(what="tls", ok=True, words=words))
    elif secured:
        found.append(Finding(what="tls", ok=False, words=f"{secured.version()}, but the certificate is NOT verified"))
    return found


async def _talk(route: Route, findings: list[Finding]) -> None:
    reports: asyncio.Queue[Report] = asyncio.Queue()
    async with _child(route, reports) as child:
        if route.trunk.register:
            findings.append(await _registration(reports))
        child.order(Options(target=f"<{target_uri(route, None)}>"))
        findings.append(await _options(reports))


@contextlib.asynccontextmanager
async def _child(route: Route, reports: "asyncio.Queue[Report]") -> AsyncIterator[Child]:
    start = Start(setup=setup(route, _RTP_PORT, f"probe/{__version__}"), account=account(route))
    child = await start_child(start, reports.put_nowait)
    try:
        yield child
    finally:
        child.close()


async def _registration(reports: "asyncio.Queue[Report]") -> Finding:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                report = await reports.get()
                if isinstance(report, Registered):
                    words = f"{report.status} {report.phrase}" if report.status else str(report.trouble)
                    return Finding(what="registration", ok=report.status // 100 == 2, words=words)  # noqa: PLR2004 - 2xx
    return Finding(what="registration", ok=False, words="the registrar did not answer")


async def _options(reports: "asyncio.Queue[Report]") -> Finding:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                report = await reports.get()
                answer = _answer(report)
                if answer is not None:
                    return Finding(what="options", ok=True, words=f"answered: {answer.status} {answer.phrase}")
    return Finding(what="options", ok=False, words=f"no answer to OPTIONS within {_PATIENCE_S:.0f} s")


def _answer(report: Report) -> Response | None:
    """Any answer will do, a 401 or 405 too: it shows that SIP is spoken there."""
    if not isinstance(report, Wire) or report.sent:
        return None
    response = read_response(report.raw)
    is_options = (response.header("CSeq") or "").upper().endswith("OPTIONS")
    return response if is_options and response.status is not None else None
