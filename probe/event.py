"""Facts that others want to hear of: an `Event`, the `Endpoint` that takes it, the `Delivery` of one to the other."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

STANDING_CHANGED: Final = "number.standing_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One webhook message (Standard Webhooks). `id` stays the same on every try; `data` is plain JSON.

    `subject` is the caller ID that it is about, if it is about one: events of one subject are delivered in order.
    """

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any]
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events go. `name` is the URL as written in the scenario file, before `${NAME}` is filled in.

    The name is what is stored and printed. `url` and `secret` may hold secrets and are neither. `remind_every_s` is how
    often it is told again of a number that stays blocked; None is never. `private_networks` are those that it may be
    in, beside this machine.
    """

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    types: frozenset[str]
    remind_every_s: int | None = None
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up, or the endpoint said that it is gone; a replay makes it wait again


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to the endpoint of that name. `attempts` counts the sittings begun, not the successes."""

    event: Event
    endpoint: str
    state: DeliveryState
    attempts: int
    next_try_at: datetime | None
    ended_at: datetime | None
    reason: str | None
