"""Standings in, the top of the page out: in two plain sentences how things stand, and what to do first."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from probe.health import Signal, State
from probe.report.page_element import Html, element, joined, said
from probe.report.page_map import mark, networks_of
from probe.report.profile import Profile
from probe.report.signals import sentence
from probe.report.standing_words import WORST_FIRST, CallerStanding, count, day, listed, where_and_since

_MOST_FIRST: Final = 3
# Signals about a route: while it is broken, nothing else is known of any number.
_BROKEN: Final = frozenset({"trunk_problem", "destination_problem"})
_NOTHING: Final = "Nothing: no caller ID is blocked, suspect or recovering."
_HOW: Final = {
    State.BLOCKED: "blocked on at least one network",
    State.SUSPECT: "suspect",
    State.RECOVERING: "recovering from a block",
    State.CLEAN: "clean",
    State.UNKNOWN: "not yet known, for want of calls",
}


def summary(
    callers: Sequence[CallerStanding], troubles: Sequence[Profile], signals: Sequence[Signal], began: datetime | None
) -> Html:
    """Write how many caller IDs stand how, and what to do first."""
    counts = Counter(one.whole.standing for one in callers)
    return joined(
        element("p", _tested(callers, began), " ", _stand(counts), class_="lead"),
        _counts(counts),
        _first(troubles, signals),
    )


def _tested(callers: Sequence[CallerStanding], began: datetime | None) -> str:
    calls = sum(sum(one.whole.dispositions.values()) for one in callers)
    networks = len(networks_of(callers))
    last = max(one.whole.last_call_at for one in callers)
    on = f" on {count(networks, 'network')}" if networks else ""
    time = day(last) if began is None or day(began) == day(last) else f"{day(began)} to {day(last)}"
    tested = f"{count(len(callers), 'caller ID')} {'was' if len(callers) == 1 else 'were'} tested"
    return f"{tested}{on} with {count(calls, 'call')}, {time}."


def _stand(counts: Counter[State]) -> str:
    told = [f"{counts[state]:,} {_verb(counts[state])} {_HOW[state]}" for state in WORST_FIRST if counts[state]]
    return f"{listed(told)}."


def _verb(number: int) -> str:
    return "is" if number == 1 else "are"


def _counts(counts: Counter[State]) -> Html:
    entries = (element("div", element("dt", mark(state)), element("dd", f"{counts[state]:,}")) for state in WORST_FIRST)
    return element("dl", entries, class_="counts")


def _first(troubles: Sequence[Profile], signals: Sequence[Signal]) -> Html:
    """Name what is broken for everybody, then the worst numbers, each with its first step."""
    title = element("h2", "What to do first", id="first")
    entries = [element("li", sentence(signal)) for signal in signals if signal.kind in _BROKEN]
    entries += [element("li", _entry(one, number)) for number, one in enumerate(troubles[:_MOST_FIRST], start=1)]
    what = element("ol", entries) if entries else element("p", _NOTHING)
    return element("section", title, what, class_="first", aria_labelledby="first")


def _entry(profile: Profile, number: int) -> Html:
    one = profile.standing
    link = element("a", said(one.caller), href=f"#n{number}")
    name = joined(" (", said(profile.label), ")") if profile.label else None
    step = profile.steps[0] if profile.steps else None
    return joined(link, name, ": ", where_and_since(one), ". ", step)
