"""What a scenario file asks for: the frozen nouns that reading a file gives and that plan and guard take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network

from probe.event import Endpoint
from probe.expectation import Expectation
from probe.trunk import Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A caller ID under test; it has to be yours (47 CFR 64.1604)."""

    number: str
    label: str | None = None
    campaign: str | None = None
    lead_source: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """The 603+ that a far end of the user's own is known to send: its phrase, and the value of its Reason header."""

    phrase: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A number that may be rung, and why (`consent`). What `expect_from` says of a caller wins over `expect`.

    `sends` is what is known to answer there, so that it can be seen what came of it.
    """

    number: str
    consent: str
    network: str | None = None
    timezone: str | None = None
    expect: Expectation | None = None
    expect_from: Mapping[str, Expectation] = field(default_factory=dict)
    sends: Sends | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `count` calls in any `window_s` seconds."""

    count: int
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When phones may ring, in minutes after midnight at the called party: `opens` counts, `closes` does not."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A time in which nothing is dialled: `starts_at` counts, `ends_at` does not."""

    starts_at: datetime
    ends_at: datetime


_RATES = (
    Rate(count=1, window_s=60),
    Rate(count=3, window_s=15 * 60),
    Rate(count=5, window_s=60 * 60),
    Rate(count=10, window_s=24 * 60 * 60),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be dialled. The defaults stand where the file says nothing.

    A day is any 24 hours. Hours, `weekdays` (0 is Monday) and `holidays` are those of the called party. Spend and
    rate, both or none, are in one currency; each started minute of talk costs `rate_per_minute`.
    """

    per_caller: tuple[Rate, ...] = _RATES
    per_destination: tuple[Rate, ...] = _RATES
    calls_per_day: int = 500
    minutes_per_day: int = 120
    hours: Hours = Hours(opens=9 * 60, closes=20 * 60)
    weekdays: frozenset[int] = frozenset(range(7))
    holidays: frozenset[date] = frozenset()
    maintenance: tuple[Maintenance, ...] = ()
    spend_per_day: Decimal | None = None
    rate_per_minute: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Every so many months, weeks and days from the day `since` on, `at` so many minutes after midnight."""

    since: date
    at: int
    months: int = 0
    weeks: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When rounds start: five cron fields, every so many seconds, or by the calendar; one of the three.

    `retest_s` is how long after its first failure in a round a caller ID is tried once more; None is never.
    """

    cron: str | None = None
    every_s: int | None = None
    calendar: Calendar | None = None
    timezone: str = "UTC"
    jitter_s: int = 0
    retest_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRules:
    """That the card of a 608 is fetched; `roots` (PEM) may vouch for it, and `private_networks` may hold it."""

    roots: str = field(repr=False)
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario file, read. `limits` None means `limits: none`, which only a trunk on loopback may say.

    `sites` are those whose workers place its calls; none: the machine that reads the file. `card_rules` None means
    that no card is fetched.
    """

    name: str
    path: str
    trunk: Trunk
    callers: tuple[Caller, ...]
    destinations: tuple[Destination, ...]
    control: str | None = None
    ring_limit_ms: int = 25_000
    hold_ms: int = 6_000
    limits: Limits | None = Limits()
    schedule: Schedule | None = None
    endpoint: Endpoint | None = None
    card_rules: CardRules | None = None
    sites: tuple[str, ...] = ()

    @property
    def calls_a_round(self) -> int:
        """Every caller to every destination, from every site."""
        return len(self.callers) * len(self.destinations) * max(1, len(self.sites))

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks of the destinations, each once, in the order of the file."""
        return tuple(dict.fromkeys(destination.network for destination in self.destinations if destination.network))
