"""What the page is made from: a small fleet whose truth is known, a large one, and one whose every text is hostile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from probe.health import Accounts, Case, Contacts, NoticeSeen, Observation, Signal, State, in_whole
from probe.report.page import Overview
from probe.report.page_untested import NeverCalled, NotPlaced, Untested
from probe.report.profile import Profile
from probe.report.standing_words import IN_TROUBLE, CallerStanding, by_caller
from probe.scenario.round import RoundRecord, RoundState
from probe.verdict import Disposition

NOW = datetime(2026, 11, 22, 16, 40, tzinfo=UTC)
NETWORKS = ("att", "t-mobile", "verizon")
SAID = Contacts(url="https://redress.example.com/r", tel="+19005550100", id="blk-0001", location="RLN")
# Who is blocked where, and how many days ago that began and ended; all others get through. 0109 called once.
TRUTH = {
    "+12025550101": {"verizon": (20, 0), "t-mobile": (5, 0)},
    "+12025550102": {"att": (12, 0)},
    "+12025550103": {"verizon": (20, 3)},
}
STARTED = timedelta(minutes=5)
CALLERS = (*TRUTH, "+12025550104", "+12025550105", "+12025550109")
LABELS = {"+12025550101": "Support main line", "+12025550102": "Billing", "+12025550104": "Sales east"}
CLUSTER = Signal(
    kind="cluster",
    dimension="network",
    value="verizon",
    p=0.0004,
    caller="+12025550101",
    hits=20,
    total=30,
    other_hits=5,
    other_total=60,
)


def observed(caller, network, day, number=0, blocked=False):
    """One call, so many days ago."""
    at = NOW - timedelta(days=day, minutes=10 * number) - STARTED
    return Observation(
        call_id=f"{caller}-{network}-{day}-{number}",
        caller=caller,
        callee="+12025550191",
        network=network,
        trunk="carrier-a",
        started_at=at,
        ended_at=at + timedelta(seconds=9),
        disposition=Disposition.ANALYTICS_BLOCKED if blocked else Disposition.ANSWERED,
        final_ms=412 if blocked else 3_100,
        contacts=SAID if blocked else None,
    )


def fleet():
    """A call a day from each caller ID on each network for 30 days."""
    calls = [
        observed(caller, network, day, blocked=began >= day > ended)
        for caller in CALLERS[:-1]
        for network in NETWORKS
        for began, ended in [TRUTH.get(caller, {}).get(network, (0, 0))]
        for day in range(30, 0, -1)
    ]
    return [*calls, observed(CALLERS[-1], "att", 1)]


def overview(calls=None, **changes):
    """The page of these calls, or of the fleet."""
    calls = fleet() if calls is None else calls
    accounts = Accounts()
    for call in sorted(calls, key=lambda call: call.ended_at):
        accounts.add(call)
    standings = in_whole(map(_as_it_is, accounts.standings()))
    troubles = tuple(_profile(one, calls) for one in by_caller(standings) if one.whole.standing in IN_TROUBLE)
    given = {
        "made_at": NOW,
        "standings": standings,
        "troubles": troubles,
        "signals": (CLUSTER,),
        "untested": untested(),
        "labels": LABELS,
        "began": min(call.started_at for call in calls),
    }
    return Overview(**given | changes)


def _as_it_is(one):
    """Set the standing that is true: what the page shows does not hang on how finely the test is tuned."""
    if one.network is None or one.caller == CALLERS[-1]:
        return replace(one, standing=State.UNKNOWN)
    began, ended = TRUTH.get(one.caller, {}).get(one.network, (0, 0))
    if not began:
        return replace(one, standing=State.CLEAN)
    state = State.RECOVERING if ended else State.BLOCKED
    return replace(one, standing=state, since=NOW - timedelta(days=ended or began) - STARTED)


def _profile(one, calls):
    case = Case(
        caller=one.caller,
        blocker="redress.example.com",
        first_seen=NOW - timedelta(days=20),
        last_seen=NOW - timedelta(days=1),
        count=20,
        contacts=SAID,
        asked_at=NOW - timedelta(days=2),
    )
    return Profile(
        standing=one,
        label=LABELS.get(one.caller),
        observations=tuple(call for call in calls if call.caller == one.caller),
        signals=(CLUSTER,),
        steps=("Take it out of rotation.", "Ask the blocker for redress."),
        cases=(case,),
    )


def untested():
    """Something of everything that was not tested."""
    missed = RoundRecord(
        id="r1", scenario="daily", state=RoundState.MISSED, started_at=NOW, planned=0, why="the daemon was down"
    )
    return Untested(
        since=NOW - timedelta(days=7),
        refused=(NotPlaced(rule="per_caller", calls=1240, why="+12025550101 has had its 5/1h.", at=NOW),),
        rounds=(missed, replace(missed, id="r2", state=RoundState.DONE)),
        never_called=(NeverCalled(caller="+12025550109", label=None, destinations=("+12025550192",), planned=3),),
        scenarios=("daily",),
    )


def large(callers=1_000, networks=20, in_full=60):
    """A fleet of this size with nearly every standing in it, on a few patterns of calls."""
    patterns = {
        State.BLOCKED: [True] * 8,
        State.CLEAN: [False] * 20,
        State.RECOVERING: [True] * 8 + [False] * 4,
        State.UNKNOWN: [False],
    }
    made = {state: replace(_standing_of(calls), standing=state) for state, calls in patterns.items()}
    order = [State.CLEAN] * 6 + [State.BLOCKED, State.RECOVERING, State.UNKNOWN, State.CLEAN]
    standings = []
    for n in range(callers):
        caller = f"+1202555{n:04}"
        theirs = [replace(made[order[(n + k) % 10]], caller=caller, network=f"network-{k:02}") for k in range(networks)]
        standings += [*theirs, replace(theirs[n % networks], network=None)]
    worst = [one for one in by_caller(standings) if one.whole.standing in IN_TROUBLE][:in_full]
    troubles = tuple(replace(_profile(one, ()), observations=_many_calls(one.caller)) for one in worst)
    return overview(
        standings=tuple(standings), troubles=troubles, labels={f"+1202555{n:04}": "A label" for n in range(callers)}
    )


def _standing_of(blocks):
    accounts = Accounts()
    for number, blocked in enumerate(blocks):
        accounts.add(observed("+12025550101", "att", 40 - number, blocked=blocked))
    return accounts.standings()[0]


def _many_calls(caller):
    return tuple(
        observed(caller, f"network-{n % 20:02}", 50 - n // 20, n % 20, blocked=n % 3 == 0) for n in range(1_000)
    )


KINDS = ("cluster", "blocks_rose", "silent_block", "trunk_problem", "destination_problem")
EVIL = (
    "<script>window.__hit=1</script>",
    '"><img src=x onerror=window.__hit=1>',
    "' onmouseover='window.__hit=1' autofocus onfocus='window.__hit=1",
    "</title></style></script><svg onload=window.__hit=1>",
    "javascript:window.__hit=1//https://evil.example/",
    "--><iframe srcdoc='<script>parent.__hit=1</script>'></iframe>",
    "\x1b[2J\x1b]8;;https://evil.example\x07\x00\x9b1m\u202egnp.exe\u2066\u200b\ud800",
    "&lt;b&gt;&amp;#x3c;script&#x3e; ]]> {{7*7}} ${7*7}",
    "\u05d0\u05d1\u05d2" + "Z\u0351\u0352\u0353" * 200,
    "A" * 10_000,
)


def hostile():
    """A page whose every field that others can write is hostile."""
    standings, profiles, labels = [], [], {}
    for number, evil in enumerate(EVIL):
        caller = f"{evil}{number}"
        one = _hostile_standing(caller, evil)
        standings += [one.whole, *one.networks.values()]
        labels[caller] = evil
        profiles.append(_hostile_profile(one, evil))
    rounds = [
        RoundRecord(id=evil, scenario=evil, state=RoundState.SKIPPED, started_at=NOW, planned=0, why=evil)
        for evil in EVIL
    ]
    return Overview(
        made_at=NOW,
        standings=tuple(standings),
        troubles=tuple(profiles),
        signals=tuple(replace(_hostile_signal(evil), kind=kind) for evil in EVIL for kind in KINDS),
        untested=Untested(
            since=NOW,
            refused=tuple(NotPlaced(rule=evil, calls=1, why=evil, at=NOW) for evil in EVIL),
            rounds=tuple(rounds),
            never_called=tuple(NeverCalled(caller=e, label=e, destinations=(e, e), planned=9) for e in EVIL),
            scenarios=EVIL,
        ),
        labels=labels,
        began=NOW - timedelta(days=30),
    )


def _hostile_standing(caller, evil):
    notice = NoticeSeen(url=evil, tel=evil, email=evil, id=evil, location=evil, first_seen=NOW, last_seen=NOW, count=3)
    on_network = replace(
        _standing_of([True] * 8), standing=State.BLOCKED, caller=caller, network=evil, notices=(notice,)
    )
    return CallerStanding(whole=replace(on_network, network=None), networks={evil: on_network})


def _hostile_signal(evil):
    return replace(
        CLUSTER, dimension="destination", value=evil, control=evil, caller=evil, network=evil, of=evil, since=NOW
    )


def _hostile_profile(one, evil):
    contacts = Contacts(url=evil, tel=evil, email=evil, id=evil, location=evil)
    case = Case(caller=evil, blocker=evil, first_seen=NOW, last_seen=NOW, count=1, contacts=contacts, networks=(evil,))
    calls = tuple(call._replace(label=evil, campaign=evil) for call in _evil_calls(one.caller, evil))
    return Profile(
        standing=one, label=evil, observations=calls, signals=(_hostile_signal(evil),), steps=(evil,), cases=(case,)
    )


def _evil_calls(caller, evil):
    return [observed(caller, evil, day, blocked=True) for day in range(9, 0, -1)]
