"""What a test knows of a call in, its observation out; and whole fleets that are called by chance, with a seed."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from probe.health import Accounts, Observation, Signal, Standing, Tallies, Tally
from probe.health.signals import find_signals
from probe.verdict import Disposition

DAY_ONE = datetime(2026, 9, 1, tzinfo=UTC)  # a Tuesday
HOURS = (14, 17, 20, 22)  # UTC; in New York 10, 13, 16 and 18 o'clock

Share = Callable[[Observation], float]


def observed(**known: object) -> Observation:
    """A call that was answered, with whatever the test knows of it."""
    defaults: dict[str, object] = {
        "call_id": "call-1",
        "caller": "+12025550101",
        "callee": "+12125550191",
        "network": "verizon",
        "trunk": "carrier-a",
        "started_at": DAY_ONE + timedelta(hours=HOURS[0]),
        "disposition": Disposition.ANSWERED,
        "timezone": "America/New_York",
    }
    known = defaults | known
    known.setdefault("ended_at", known["started_at"] + timedelta(seconds=10))
    return Observation(**known)


def strays(_call: Observation) -> float:
    return 0.01


def never(_call: Observation) -> float:
    return 0.0


def day_of(call: Observation) -> int:
    """The day of a call, counted from the first."""
    return (call.started_at - DAY_ONE).days


def caller_id(number: int) -> str:
    return f"+1202555{number:04}"


def called(  # noqa: PLR0913 - one keyword for each thing that a fleet's truth may be about
    *,
    callers: int,
    networks: int,
    days: int,
    lines: int = 1,
    rounds: int = 1,
    seed: int = 603,
    blocked: Share = strays,
    silent: Share = never,
    declined: Share = never,
    named: Callable[[Observation], dict[str, object]] | None = None,
) -> list[Observation]:
    """Call each line of each network from each caller ID, so many rounds a day, at hours that go round.

    What becomes of a call is drawn: blocked, or refused silently, or busy (one in fifty), or declined, or answered.
    """
    chance, calls = Random(seed), []
    places = [(f"+1212555{n:02}{m:02}", f"network-{n:02}") for n in range(networks) for m in range(lines)]
    for turn in range(days * rounds):
        for place, (callee, network) in enumerate(places):
            for number in range(callers):
                hour, minute = HOURS[(turn + place + number) % len(HOURS)], chance.randrange(60)
                at = DAY_ONE + timedelta(days=turn // rounds, hours=hour, minutes=minute)
                call = observed(
                    call_id=f"call-{len(calls)}",
                    caller=caller_id(number),
                    callee=callee,
                    network=network,
                    started_at=at,
                )
                if named is not None:
                    call = call._replace(**named(call))
                calls.append(_ended(call, chance, blocked(call), silent(call), declined(call)))
    return calls


def _ended(call: Observation, chance: Random, blocked: float, silent: float, declined: float) -> Observation:
    drawn, rings_ms = chance.random(), chance.lognormvariate(7.6, 0.2)  # about two seconds
    if drawn < blocked:
        return call._replace(disposition=Disposition.ANALYTICS_BLOCKED, final_ms=300.0)
    if drawn < blocked + silent:
        return call._replace(disposition=Disposition.REJECTED_AMBIGUOUS, final_ms=chance.uniform(200, 400))
    if chance.random() < 0.02:
        return call._replace(disposition=Disposition.USER_BUSY, final_ms=chance.uniform(300, 3_000))
    if chance.random() < declined:
        return call._replace(disposition=Disposition.USER_DECLINED, alerting_ms=rings_ms, final_ms=rings_ms + 4_000)
    return call._replace(disposition=Disposition.ANSWERED, alerting_ms=rings_ms, final_ms=rings_ms + 6_000)


def counted(calls: Iterable[Observation]) -> tuple[Tally, ...]:
    tallies = Tallies()
    for call in calls:
        tallies.add(call)
    return tuple(tallies.rows())


def standings(calls: Iterable[Observation]) -> tuple[Standing, ...]:
    accounts = Accounts()
    for call in calls:
        accounts.add(call)
    return accounts.standings()


def signals_of(calls: Sequence[Observation]) -> tuple[Signal, ...]:
    return find_signals(counted(calls), standings(calls))
