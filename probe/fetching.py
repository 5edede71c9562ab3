"""A web address from a file or from a stranger in; one guarded HTTP exchange with it out. There is no other HTTP here.

Whoever writes the address must not reach what only this machine can reach: its loopback, its network, the metadata of
its cloud (CWE-918; RFC 8688 s6 for the card of a 608). So the name is resolved here, each address is checked, and the
connection goes to the very address that was checked: a name that answers differently the second time gains nothing.
The certificate is still held against the name. https only, but for loopback where that is allowed; no redirects, no
proxy (it would resolve the name once more), no compression, and an end to every wait and to every answer.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import httpx

from probe import __version__

LARGEST: Final = 64 * 1024
_OK = 200
_DRAIN_S = 1.0
_MOST_ADDRESSES = 4
_HEADERS = {"user-agent": f"probe/{__version__}", "accept-encoding": "identity"}

# What is_global of Python 3.11 to 3.13 takes for public, each of them some of it, and what leads to an IPv4 address
# that nobody checked: 6to4 (RFC 3056; its relays RFC 7526), Teredo (RFC 4380), local NAT64 (RFC 8215), site-local
# (RFC 3879), documentation (RFC 9637), protocol assignments (RFC 6890).
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in ("192.88.99.0/24", "192.0.0.0/24", "2002::/16", "2001::/23", "64:ff9b:1::/48", "fec0::/10", "3fff::/20")
)
_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out so far
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address

# What httpx raises, from the special to the general, in words without the URL: it may hold a secret.
_TROUBLE: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "the answer was not HTTP, or broke off"),
    (httpx.HTTPError, "the connection broke"),
    (httpx.StreamError, "the connection broke"),
)
_FOREIGN = tuple(kind for kind, _ in _TROUBLE)

# httpx logs the URL of each request, and that may hold a secret; httpcore logs the answer, which may hold it too.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_Address = IPv4Address | IPv6Address


class FetchError(Exception):
    """Half a sentence that says why there is no answer; it never holds the URL."""


class NotAllowedError(FetchError):
    """We do not ask there, or do not take what is answered."""


class NoAnswerError(FetchError):
    """Nobody answered as HTTP asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where an address may lead beside the public Internet.

    `networks` are those that the scenario file names. `loopback` lets it lead to this machine, by http too.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    loopback: bool = False

    def allows(self, address: _Address) -> bool:
        """Say whether a connection may go there."""
        real = _unwrapped(address)
        if any(real in network for network in self.networks) or (self.loopback and real.is_loopback):
            return True
        return is_public(real)


def is_public(address: _Address) -> bool:
    """Say whether an address is one of the public Internet: nothing private, local, shared, reserved or multicast."""
    real = _unwrapped(address)
    if isinstance(real, IPv6Address) and real not in _UNICAST:
        return False
    reserved = any(real in network for network in _NOT_PUBLIC)
    return real.is_global and not (real.is_multicast or real.is_reserved or reserved)


def _unwrapped(address: _Address) -> _Address:
    """Give the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer. Its body is read by `body` or thrown away by `drain`."""

    status: int
    headers: Mapping[str, str]
    _response: httpx.Response

    async def drain(self) -> None:
        """Read the body, so that the connection can be used again, and forget it; a long or slow one is left there."""
        unread = LARGEST
        with suppress(TimeoutError, *_FOREIGN):
            async with asyncio.timeout(_DRAIN_S):
                async for chunk in self._response.aiter_raw():
                    unread -= len(chunk)
                    if unread < 0:
                        return

    async def body(self) -> bytes:
        """Read the body, up to 64 KiB. What comes compressed although nobody asked for it is not unpacked."""
        if self.headers.get("content-encoding", "identity").strip().lower() not in {"identity", ""}:
            raise NotAllowedError("the answer is compressed, which was not asked for")
        found = bytearray()
        async for chunk in self._response.aiter_raw():
            found += chunk
            if len(found) > LARGEST:
                raise NotAllowedError(f"the answer is larger than {LARGEST // 1024} KiB")
        return bytes(found)


class Client:
    """One web address, asked as often as need be. It is resolved and checked anew each time."""

    def __init__(self, client: httpx.AsyncClient, url: httpx.URL, reach: Reach) -> None:
        self._client = client
        self._url = url
        self._reach = reach

    @asynccontextmanager
    async def ask(
        self, method: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None, within_s: float
    ) -> AsyncIterator[Answer]:
        """Send one request; give the answer's head, all within `within_s`, the use that is made of it included.

        Raises NotAllowedError and NoAnswerError.
        """
        # httpcore leaves a connection open that is cancelled in its TLS handshake, and none that ends by this timeout,
        # which holds for connecting and for the handshake, each.
        self._client.timeout = httpx.Timeout(None, connect=within_s / 3)
        try:
            async with asyncio.timeout(within_s):
                response = await self._send(method, content, headers or {})
                try:
                    yield Answer(response.status_code, response.headers, response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise NoAnswerError(f"no answer within {within_s:g} s") from error
        except _FOREIGN as error:
            raise NoAnswerError(_put_in_words(error)) from error

    async def _send(self, method: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """Ask the checked addresses in turn, until one of them takes the connection."""
        *others, last = await self._addresses()
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._send_to(address, method, content, headers)
        return await self._send_to(last, method, content, headers)

    async def _send_to(
        self, address: _Address, method: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        # The connection goes to the address; the Host header and the name in the certificate are those of the URL.
        request = self._client.build_request(
            method,
            self._url.copy_with(host=str(address)),
            content=content,
            headers={"host": self._url.netloc.decode("ascii"), **headers},
            extensions={"sni_hostname": _host(self._url)},
        )
        return await self._client.send(request, stream=True)

    async def _addresses(self) -> list[_Address]:
        """Resolve the host; give those of its addresses that may be asked, a few at most."""
        found = await _resolve(_host(self._url), self._url.port or {"http": 80}.get(self._url.scheme, 443))
        # What goes in the clear stays on this machine, whatever its name resolves to today.
        allowed = [one for one in found if self._reach.allows(one) and (self._url.scheme == "https" or _is_here(one))]
        if not allowed:
            raise NotAllowedError(f"it leads to {found[0]}, which is no public address")
        return allowed[:_MOST_ADDRESSES]


@asynccontextmanager
async def open_client(url: str, reach: Reach) -> AsyncIterator[Client]:
    """Open a client for one web address, of which no more than this is checked yet: that it is one, and its scheme.

    Raises NotAllowedError for what is no such address.
    """
    read = _read_url(url, reach)
    # A client has one address, so that no connection of one name is used again for another name at the same address.
    context = await asyncio.to_thread(httpx.create_ssl_context)  # it reads some hundred certificates
    async with httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, headers=_HEADERS) as client:
        yield Client(client, read, reach)


async def fetch(url: str, reach: Reach, *, within_s: float) -> bytes:
    """Get what stands at a web address, up to 64 KiB, in one go.

    Raises NotAllowedError and NoAnswerError.
    """
    async with open_client(url, reach) as client, client.ask("GET", within_s=within_s) as answer:
        if answer.status in range(300, 400):
            raise NotAllowedError(f"it answered {answer.status}, a redirect, which is never followed")
        if answer.status != _OK:
            raise NoAnswerError(f"it answered {answer.status}")
        return await answer.body()


def _read_url(url: str, reach: Reach) -> httpx.URL:
    if not url.isprintable() or " " in url:
        # Blanks and control characters are read in different ways by different libraries.
        raise NotAllowedError("it holds a blank or a control character")
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise NotAllowedError("it is not a URL") from error
    if not read.raw_host or read.scheme not in ({"http", "https"} if reach.loopback else {"https"}):
        raise NotAllowedError("it is no https address")
    return read


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]").removesuffix(".")


async def _resolve(host: str, port: int) -> list[_Address]:
    """Ask the machine's resolver, in a thread of its own.

    Whoever owns a name may let us wait for it: neither the store, which works in asyncio's few threads, nor the end of
    the program, which waits for those, has to wait with us.
    """
    answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    threading.Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    try:
        found = await answer
    except (OSError, UnicodeError) as error:
        raise NoAnswerError(f"no connection (its name has no address: {error})") from error
    return list(dict.fromkeys(ip_address(str(address[0]).partition("%")[0]) for *_, address in found))


def _look_up(host: str, port: int, answer: "asyncio.Future[list[Any]]") -> None:
    found: list[Any] | Exception
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except Exception as error:  # noqa: BLE001 - it is raised again where it was asked for
        found = error
    with suppress(RuntimeError):  # nobody waits any more: the loop is closed
        answer.get_loop().call_soon_threadsafe(_tell, answer, found)


def _tell(answer: "asyncio.Future[list[Any]]", found: list[Any] | Exception) -> None:
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)


def _is_here(address: _Address) -> bool:
    return _unwrapped(address).is_loopback


def _put_in_words(error: Exception) -> str:
    words = next(words for kind, words in _TROUBLE if isinstance(error, kind))
    return f"{words} ({error})" if type(error) is httpx.ConnectError and str(error) else words
