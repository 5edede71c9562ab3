"""`probe webhook test|list|replay`: try, inspect and resend deliveries."""

import argparse
import asyncio

from probe.cli.history import new_event_id, open_history
from probe.cli.main import FINDING, FINE, UNTESTED
from probe.cli.outside import now, print_json, say, tell
from probe.cli.scenarios import load
from probe.documents import timestamp
from probe.errors import ReceiverError, ScenarioError
from probe.event import Delivery, DeliveryState, Endpoint
from probe.webhook.body import make_test_event
from probe.webhook.delivery import deliver_pending, send


def run(arguments: argparse.Namespace) -> int:
    """Carry out one of the three."""
    return {"test": _test, "list": _list, "replay": _replay}[arguments.action](arguments)


def _endpoint(path: str) -> Endpoint:
    endpoint = load(path).endpoint
    if endpoint is None:
        raise ScenarioError(f"{path} names no webhook; give it a `webhook:` with url and secret.")
    return endpoint


def _test(arguments: argparse.Namespace) -> int:
    endpoint = _endpoint(arguments.scenario)
    event = make_test_event(now(), new_event_id())
    try:
        status: int | None = asyncio.run(send(event, endpoint, now=now))
        why = None
    except ReceiverError as error:
        status, why = None, str(error)
    if arguments.json:
        print_json({"id": event.id, "endpoint": endpoint.name, "delivered": why is None, "status": status, "why": why})
    elif why is None:
        tell(f"{endpoint.name} took {event.id} with {status}.")
    else:
        say(f"probe: {why}")
    return FINE if why is None else FINDING


def _list(arguments: argparse.Namespace) -> int:
    for delivery in open_history(arguments).outbox.deliveries():
        if arguments.json:
            print_json(_document(delivery))
        else:
            tell(_in_a_line(delivery))
    return FINE


def _replay(arguments: argparse.Namespace) -> int:
    endpoint, store = _endpoint(arguments.scenario), open_history(arguments)
    ids = [store.outbox.event(prefix).id for prefix in arguments.ids] or [
        delivery.event.id
        for delivery in store.outbox.deliveries()
        if delivery.endpoint == endpoint.name and delivery.state is not DeliveryState.DELIVERED
    ]
    store.outbox.requeue(ids)
    delivered = asyncio.run(deliver_pending(store.outbox, endpoint, now=now))
    if arguments.json:
        print_json({"taken": delivered.taken, "failed": delivered.failed, "waiting": delivered.waiting})
    else:
        tell(f"{delivered.taken} delivered to {endpoint.name}, {delivered.waiting} still waiting.")
    for reason in dict.fromkeys(delivered.reasons):
        say(f"webhook: {reason}")
    return FINE if not delivered.waiting else UNTESTED


def _document(delivery: Delivery) -> dict[str, object]:
    return {
        "id": delivery.event.id,
        "type": delivery.event.type,
        "timestamp": timestamp(delivery.event.timestamp),
        "endpoint": delivery.endpoint,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_try_at": timestamp(delivery.next_try_at) if delivery.next_try_at else None,
        "reason": delivery.reason,
    }


def _in_a_line(delivery: Delivery) -> str:
    event = delivery.event
    when = f"{event.timestamp:%Y-%m-%d %H:%M:%S}"
    reason = f"  {delivery.reason}" if delivery.reason else ""
    return f"{when}  {delivery.state:<9}  {event.type:<24}  {event.id}  tries {delivery.attempts}{reason}"
