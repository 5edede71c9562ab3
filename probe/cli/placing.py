"""What `call` and `check` share: the road with its real parts, signals, deliveries and exit codes."""

import argparse
import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import cast

from probe.agent.pool import Agent
from probe.call import CallRequest, Ending
from probe.cli.history import is_stopped, new_event_id, open_history
from probe.cli.late import late
from probe.cli.main import FINDING, FINE, GUARDED, UNTESTED, worst
from probe.cli.outside import now, say
from probe.event import Endpoint
from probe.judged import JudgedCall
from probe.ledger import Ledger
from probe.rounds import Announcer, Road
from probe.scenario.guard import Allowed, Refusal, check, reach
from probe.scenario.history import DAY
from probe.store import Store
from probe.trunk import Trunk
from probe.verdict import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The parts of one command at work: the road, and the event that says stop."""

    road: Road
    store: Store
    stopping: asyncio.Event


@contextlib.asynccontextmanager
async def open_site(
    arguments: argparse.Namespace,
    trunk: Trunk,
    allowed: Allowed,
    endpoint: Endpoint | None,
    first: "subprocess.Popen[bytes] | None" = None,
) -> AsyncIterator[Site]:
    """Start the agent and the store side by side, and stop calls on Ctrl-C or SIGTERM."""
    agent = Agent(trunk, first)
    opening = asyncio.create_task(agent.open())
    store = await asyncio.to_thread(open_history, arguments)
    stopping = asyncio.Event()
    try:
        for record in store.mark_lost(now()):
            say(f"The call {record.request.id} of {record.started_at:%Y-%m-%d %H:%M} UTC is lost: its process died.")
        _on_signals(agent, stopping)
        # A trunk that cannot be reached is told with each call that it costs, and each is recorded.
        await asyncio.wait([opening])
        yield Site(road=_road(agent, store, trunk, allowed, endpoint), store=store, stopping=stopping)
    finally:
        opening.cancel()
        opening.exception() if opening.done() and not opening.cancelled() else None
        await agent.close()
        store.close()


def _road(agent: Agent, store: Store, trunk: Trunk, allowed: Allowed, endpoint: Endpoint | None) -> Road:
    return Road(
        agent=agent,
        store=Ledger(store),
        allowed=allowed,
        new_id=new_event_id,
        now=now,
        announce=cast("Announcer", late("probe.announce")),
        stopped=is_stopped,
        endpoint=endpoint,
        lines=trunk.lines,
        calls_per_second=trunk.calls_per_second,
    )


def _on_signals(agent: Agent, stopping: asyncio.Event) -> None:
    def stop() -> None:
        stopping.set()
        agent.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


async def deliver(site: Site) -> None:
    """Post what waits for the endpoint. What is not taken stays in the outbox, and the user hears of it."""
    endpoint = site.road.endpoint
    if endpoint is None or site.stopping.is_set():
        return
    from probe.webhook.delivery import deliver_pending  # noqa: PLC0415 - an HTTP client is heavy, and the call went before

    posting = asyncio.create_task(deliver_pending(site.store.outbox, endpoint, now=now))
    stopped = asyncio.create_task(site.stopping.wait())
    await asyncio.wait({posting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not posting.done():
        posting.cancel()
        say("webhook: stopped; what was not delivered waits (`probe webhook list`).")
        return
    delivered = posting.result()
    if delivered.taken:
        say(f"webhook: {delivered.taken} delivered to {endpoint.name}.")
    for reason in dict.fromkeys(delivered.reasons):
        say(f"webhook: {reason}")
    if delivered.waiting:
        say(f"webhook: {delivered.waiting} not delivered; they stay in the store (`probe webhook replay`).")


def would_refuse(arguments: argparse.Namespace, request: CallRequest, allowed: Allowed) -> Refusal | None:
    """Ask the guard without placing anything, as the store stands now."""
    store = open_history(arguments)
    try:
        past = store.history(now(), reach(allowed.limits) or DAY)
        return check(request, allowed=allowed, history=past, now=now(), stopped=is_stopped())
    finally:
        store.close()


def exit_code(calls: Sequence[JudgedCall], planned: int) -> int:
    """The exit code of these calls; fewer than planned is never success."""
    codes = [code_of(call) for call in calls]
    return worst([*codes, UNTESTED] if len(calls) < planned else codes)


def code_of(call: JudgedCall) -> int:
    """The exit code of one call."""
    if call.record.ending is Ending.GUARDED:
        return GUARDED
    if call.verdict.disposition is Disposition.INCONCLUSIVE:
        return UNTESTED
    if call.record.request.expect is None:
        return FINE if call.conversation.final is not None else UNTESTED
    return FINE if call.as_expected else FINDING
