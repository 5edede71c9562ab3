"""Events that wait in an outbox in, posts to their endpoint out; what became of them goes back into the outbox."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, stop_before_delay

from probe.errors import ReceiverError, ScenarioError
from probe.event import Delivery, Endpoint, Event
from probe.fetching import Client, FetchError, NotAllowedError, Reach, open_client
from probe.webhook.answer import TrySoonError, read_answer
from probe.webhook.body import make_body
from probe.webhook.endpoint import check_endpoint
from probe.webhook.retry import find_next_try, read_retry_after
from probe.webhook.signature import sign

Clock = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]

_TOTAL_S = 15.0
_TRIES = 3
_SITTING_S = 20.0
_FIRST_WAIT_S = 0.5

# Longer than any sitting: the last try begins before _SITTING_S and ends within _TOTAL_S.
_CLAIM = timedelta(seconds=60)

# After so many failed deliveries in a row there is little hope for the next one.
_PATIENCE = 3

_HEADERS = {"content-type": "application/json"}


class Outbox(Protocol):
    """Where deliveries wait between two sittings, and across restarts."""

    def pending(self, endpoint: str, now: datetime) -> tuple[Delivery, ...]: ...
    def waiting(self, endpoint: str) -> int: ...
    def claim(self, waiting: Delivery, now: datetime, until: datetime) -> Delivery | None: ...
    def mark_delivered(self, claimed: Delivery, now: datetime) -> None: ...
    def mark_failed(self, claimed: Delivery, now: datetime, next_try_at: datetime | None, reason: str) -> None: ...
    def disable_endpoint(self, name: str, why: str, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What one pass over an endpoint's outbox did. `waiting` counts what is left for later passes."""

    taken: int
    failed: int
    waiting: int
    disabled: bool
    reasons: tuple[str, ...]


class _NoAnswerError(TrySoonError):
    """Nobody answered in HTTP: the other events need not be tried now."""


class _NotAllowedError(ReceiverError):
    """Its name leads where nothing is posted: neither this event nor another need be tried now."""


async def deliver_pending(outbox: Outbox, endpoint: Endpoint, *, now: Clock, sleep: Sleep = asyncio.sleep) -> Delivered:
    """Post what is due for an endpoint, in order; whatever the receiver does is a value, never raised.

    The pass ends early when nobody answers, when the receiver asks for time, or after three failures in a row.
    Raises ScenarioError for an endpoint that must not be used.
    """
    tally, began = _Tally(), now()
    async with _open_client(endpoint) as client:
        while not tally.hopeless and (due := await asyncio.to_thread(outbox.pending, endpoint.name, began)):
            for delivery in due:
                await _deliver(outbox, delivery, _Sitting(endpoint, client, now, sleep), tally)
                if tally.hopeless:
                    break
    return Delivered(
        taken=tally.taken,
        failed=len(tally.reasons),
        waiting=await asyncio.to_thread(outbox.waiting, endpoint.name),
        disabled=tally.disabled,
        reasons=tuple(tally.reasons),
    )


async def send(event: Event, endpoint: Endpoint, *, now: Clock, sleep: Sleep = asyncio.sleep) -> int:
    """Post one event in one sitting, without an outbox, and give the status with which it was taken.

    Raises ReceiverError when it was not taken, and ScenarioError for an endpoint that must not be used.
    """
    async with _open_client(endpoint) as client:
        return await _Sitting(endpoint, client, now, sleep).post(event)


@dataclass(slots=True)
class _Tally:
    """How a pass goes; it is hopeless when the rest had better wait for a later one."""

    taken: int = 0
    failed_in_a_row: int = 0
    hopeless: bool = False
    disabled: bool = False
    reasons: list[str] = field(default_factory=list)

    def count_taken(self) -> None:
        self.taken += 1
        self.failed_in_a_row = 0

    def count_failure(self, error: ReceiverError) -> None:
        self.reasons.append(str(error))
        self.failed_in_a_row += 1
        self.disabled = error.permanent
        asks_for_time = error.retry_after_s is not None
        tired = self.failed_in_a_row >= _PATIENCE
        self.hopeless = (
            error.permanent or asks_for_time or tired or isinstance(error, (_NoAnswerError, _NotAllowedError))
        )


@dataclass(frozen=True, slots=True)
class _Sitting:
    """A few tries, close together, to post an event: at most three, within 35 s."""

    endpoint: Endpoint
    client: Client
    now: Clock
    sleep: Sleep

    async def post(self, event: Event) -> int:
        tries = AsyncRetrying(
            retry=retry_if_exception_type(TrySoonError),
            stop=stop_after_attempt(_TRIES) | stop_before_delay(_SITTING_S),
            wait=_find_wait,
            sleep=self.sleep,
            reraise=True,
        )
        return await tries(self._try_once, event)

    async def _try_once(self, event: Event) -> int:
        body, moment = make_body(event), self.now()
        headers = _HEADERS | sign(self.endpoint.secret, event.id, moment, body)
        try:
            async with self.client.ask("POST", content=body, headers=headers, within_s=_TOTAL_S) as answer:
                await answer.drain()
        except NotAllowedError as error:
            why = f"{error}; list its network under webhook.private_networks if that is meant"
            raise _NotAllowedError(f"webhook.url {self.endpoint.name} was not reached: {why}") from error
        except FetchError as error:
            raise _NoAnswerError(f"webhook.url {self.endpoint.name} was not reached: {error}") from error
        read_answer(answer.status, read_retry_after(answer.headers.get("retry-after"), moment), self.endpoint.name)
        return answer.status


async def _deliver(outbox: Outbox, waiting: Delivery, sitting: _Sitting, tally: _Tally) -> None:
    """Mark, post, mark: the attempt counts before it is made, so that a crash loop cannot become a storm."""
    moment = sitting.now()
    claimed = await asyncio.to_thread(outbox.claim, waiting, moment, moment + _CLAIM)
    if claimed is None:
        return
    try:
        await sitting.post(claimed.event)
    except ReceiverError as error:
        tally.count_failure(error)
        await asyncio.to_thread(_put_off, outbox, claimed, error, sitting.now())
    except asyncio.CancelledError:
        moment = sitting.now()
        outbox.mark_failed(claimed, moment, moment, "probe was stopped before an answer came")
        raise
    else:
        tally.count_taken()
        await asyncio.to_thread(outbox.mark_delivered, claimed, sitting.now())


def _put_off(outbox: Outbox, claimed: Delivery, error: ReceiverError, now: datetime) -> None:
    if error.permanent:
        outbox.disable_endpoint(claimed.endpoint, str(error), now)
        return
    chance = random.random()  # noqa: S311 (spreads load, keeps no secret)
    next_try_at = find_next_try(claimed.attempts, now, chance, error.retry_after_s)
    outbox.mark_failed(claimed, now, next_try_at, str(error))


@asynccontextmanager
async def _open_client(endpoint: Endpoint) -> AsyncIterator[Client]:
    """Open the guarded client; this machine is where many a receiver runs, so it is no address to mistrust here."""
    check_endpoint(endpoint)
    try:
        async with open_client(endpoint.url, Reach(networks=endpoint.private_networks, loopback=True)) as client:
            yield client
    except NotAllowedError as error:
        raise ScenarioError(
            f"webhook.url {endpoint.name} cannot be used: {error}; write it as https://host/path"
        ) from error


def _find_wait(state: RetryCallState) -> float:
    """Wait as long as the receiver asks, else half a second, then a second, and up to as much again by chance."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, ReceiverError) else None
    backoff: float = _FIRST_WAIT_S * 2 ** (state.attempt_number - 1)
    return max(asked or 0.0, backoff * (1 + random.random()))  # noqa: S311 (spreads load, keeps no secret)
