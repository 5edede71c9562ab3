"""The address of the card that a 608 names in, what came of it out: fetched through the guarded client, and checked.

Only where the scenario file allows it. The address is the far end's: it decides when we fetch, and would like to decide
where. So few are fetched at a time, each within seconds, and nothing waits for them.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.x509 import Certificate

from probe.call import Card, CardState
from probe.errors import ScenarioError
from probe.fetching import FetchError, NotAllowedError, Reach, fetch
from probe.scenario.scenario import CardRules
from probe.verdict.card import find_fault, find_signature_fault, read_certificates
from probe.verdict.jcard import read_jcard
from probe.verdict.redress import is_public_https

_WITHIN_S: Final = 4.5  # for the card, and once more for its signer's certificate
_AT_ONCE: Final = 4
_MOST_WAITING: Final = 32  # a network that answers every call with a 608 does not make us its hammer


@dataclass(frozen=True, slots=True)
class _Found:
    """What was fetched if it is verified (strangers do not fill the store), else why it proves nothing."""

    state: CardState
    why: str | None = None
    jws: bytes | None = None
    certificates: bytes | None = None


class Cards:
    """Fetches and checks the cards of one scenario. `now` gives the time in UTC."""

    def __init__(self, rules: CardRules, now: Callable[[], datetime]) -> None:
        self._roots = _read_roots(rules)
        self._reach = Reach(networks=rules.private_networks)
        self._now = now
        self._asked = 0
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, uri: str) -> Card:
        """Fetch a card and say whether it may be believed; whatever goes wrong is a value."""
        if self._asked >= _MOST_WAITING:
            return self._card(uri, _Found(CardState.UNVERIFIED, "too many cards came at once"))
        self._asked += 1
        try:
            async with self._free:
                return self._card(uri, await self._find(uri))
        finally:
            self._asked -= 1

    async def _find(self, uri: str) -> _Found:
        try:
            jws = await self._get(uri)
        except FetchError as error:
            return _Found(_state_after(error), f"the card was not fetched: {error}")
        if fault := find_fault(jws, self._now()):
            return _Found(CardState.REFUSED, fault)
        try:
            certificates = await self._get(read_jcard(jws).x5u or "")
        except FetchError as error:
            return _Found(_state_after(error), f"the certificate of its signer was not fetched: {error}")
        fault = await asyncio.to_thread(find_signature_fault, jws, certificates, self._roots, self._now())
        return _Found(CardState.REFUSED, fault) if fault else _Found(CardState.VERIFIED, None, jws, certificates)

    async def _get(self, uri: str) -> bytes:
        if not self._reach.networks and not is_public_https(uri):
            raise NotAllowedError("its address is no safe public https address")
        return await fetch(uri, self._reach, within_s=_WITHIN_S)

    def _card(self, uri: str, found: _Found) -> Card:
        return Card(
            uri=uri,
            at=self._now(),
            state=found.state,
            why=found.why,
            jws=_text(found.jws),
            certificates=_text(found.certificates),
        )


def _state_after(error: FetchError) -> CardState:
    return CardState.REFUSED if isinstance(error, NotAllowedError) else CardState.UNVERIFIED


def _read_roots(rules: CardRules) -> list[Certificate]:
    with suppress(ValueError):
        return read_certificates(rules.roots.encode())
    raise ScenarioError("jcard.roots holds a certificate that cannot be read; write each as PEM.")


def _text(fetched: bytes | None) -> str | None:
    """Keep what was fetched: a JWS and PEM are ASCII, and anything else is kept byte by byte."""
    return None if fetched is None else fetched.decode("latin-1")
