"""What was planned and not tested in, and what was called and told nothing; why, out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from probe.health import Evidence, Standing, evidence_of
from probe.report.page_element import NOTHING, Html, element, joined, said
from probe.report.page_table import table
from probe.report.standing_words import count, listed, minute, moment
from probe.report.words import DISPOSITION_WORDS
from probe.scenario.round import RoundRecord, RoundState
from probe.verdict import Disposition

# The rules of the guard and of the plan, as a manager would say them; the rule's own name stands beside.
_RULES: Final = {
    "stop_file": "everything is stopped by hand",
    "paused_number": "the number is paused",
    "paused_trunk": "the trunk is paused",
    "per_caller": "the caller ID has had its calls",
    "per_destination": "the called number has had its calls",
    "calls_per_day": "the calls of the day are used up",
    "minutes_per_day": "the minutes of the day are used up",
    "spend_per_day": "the money of the day is spent",
    "hours": "outside the calling hours at the called party",
    "weekday": "a day without calls at the called party",
    "holiday": "a holiday at the called party",
    "maintenance": "maintenance",
    "timezone_unknown": "nobody can tell what time it is there",
    "pair_refused": "blocked in the same round; a block is not retried",
    "destination_busy": "another call was ringing the same number",
    "round_over": "the round ended before its turn came",
    "breaker_trunk": "the trunk failed again and again",
    "breaker_blocks": "too many blocks in a row",
    "no_consent": "the called number is on no list",
    "caller_unlisted": "the caller ID is on no list",
    "no_limits": "the trunk has no limits",
}
_ROUNDS: Final = {
    RoundState.MISSED: "missed",
    RoundState.SKIPPED: "skipped",
    RoundState.STOPPED: "stopped before its end",
}
_MOST_ROWS: Final = 50
_MOST_NAMES: Final = 5
_SILENT: Final = frozenset({Evidence.NONE, Evidence.AMBIGUOUS})


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPlaced:
    """Calls that one rule of the guard kept from being placed; `why` and `at` are those of the latest."""

    rule: str
    calls: int
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverCalled:
    """A caller ID of a scenario and those of its destinations that it never called, of so many."""

    caller: str
    label: str | None
    destinations: tuple[str, ...]
    planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """What is known of calls that did not take place; refusals and rounds since a moment, pairs since ever.

    `scenarios` are the names of the files that were compared with the calls.
    """

    since: datetime
    refused: tuple[NotPlaced, ...] = ()
    rounds: tuple[RoundRecord, ...] = ()
    never_called: tuple[NeverCalled, ...] = ()
    scenarios: tuple[str, ...] = ()


def untested_section(untested: Untested, wholes: Iterable[Standing]) -> Html:
    """Write what was not tested and why."""
    return joined(
        _refused(untested),
        _rounds(untested),
        _never_called(untested),
        _told_nothing(wholes),
    )


def _refused(untested: Untested) -> Html:
    title = element("h3", "Calls that a guard rail refused")
    if not untested.refused:
        return joined(title, element("p", f"None since {moment(untested.since)}."))
    rows = [
        (_rule(one.rule), f"{one.calls:,}", said(one.why), minute(one.at))
        for one in sorted(untested.refused, key=lambda one: -one.calls)
    ]
    caption = f"Not placed since {moment(untested.since)}, by the rule that refused"
    return joined(title, table("refused", caption, ("Rule", "Calls", "The latest reason", "At (UTC)"), rows))


def _rule(rule: str) -> Html:
    words = _RULES.get(rule)
    return joined(words, " ", element("code", rule, class_="soft")) if words else element("code", said(rule))


def _rounds(untested: Untested) -> Html:
    lost = [one for one in untested.rounds if one.state in _ROUNDS]
    title = element("h3", "Rounds that were missed, skipped or stopped")
    if not lost:
        return joined(title, element("p", f"None since {moment(untested.since)}."))
    rows = [
        (said(one.scenario), minute(one.planned_at or one.started_at), _ROUNDS[one.state], said(one.why))
        for one in lost[:_MOST_ROWS]
    ]
    shown = f" (the first {_MOST_ROWS} are shown)" if len(lost) > _MOST_ROWS else ""
    caption = f"{count(len(lost), 'round')} since {moment(untested.since)}, the newest first{shown}"
    return joined(title, table("rounds", caption, ("Scenario", "Planned for (UTC)", "What became of it", "Why"), rows))


def _never_called(untested: Untested) -> Html:
    title = element("h3", "Planned pairs that were never called")
    if not untested.scenarios:
        hint = element("code", "probe report -o FILE.html SCENARIO")
        return joined(title, element("p", "Not known: no scenario file was given. To have it here, use ", hint, "."))
    names = listed(untested.scenarios)
    if not untested.never_called:
        return joined(title, element("p", "None: every caller ID of ", said(names), " has called every destination."))
    pairs = sum(len(one.destinations) for one in untested.never_called)
    rows = [
        (
            joined(said(one.caller), _named(one.label)),
            f"{len(one.destinations):,} of {one.planned:,}",
            said(listed(one.destinations, most=_MOST_NAMES)),
        )
        for one in untested.never_called[:_MOST_ROWS]
    ]
    callers = count(len(untested.never_called), "caller ID")
    shown = f" (the first {_MOST_ROWS} are shown)" if len(untested.never_called) > _MOST_ROWS else ""
    caption = joined(f"{count(pairs, 'pair')} of ", said(names), f", {callers}{shown}")
    return joined(title, table("never", caption, ("Caller ID", "Never called", "Destinations"), rows))


def _named(label: str | None) -> Html:
    return element("span", " ", said(label), class_="soft") if label else NOTHING


def _told_nothing(wholes: Iterable[Standing]) -> Html:
    """Count the calls that say nothing of their caller ID: they are in no share."""
    counts: Counter[Disposition] = Counter()
    for whole in wholes:
        counts.update(whole.dispositions)
    silent = [(name, calls) for name, calls in counts.most_common() if evidence_of(name) in _SILENT]
    title = element("h3", "Calls that told nothing")
    if not silent:
        return joined(title, element("p", "None: every call could be judged."))
    total = sum(calls for _, calls in silent)
    told = f"{total:,} of {count(counts.total(), 'call')} say nothing of the caller ID and count in no share"
    intro = f"{told}, unless a control call settled what they mean."
    entries = (_silence(name, calls) for name, calls in silent)
    return joined(title, element("p", intro), element("ul", entries))


def _silence(name: Disposition, calls: int) -> Html:
    return element("li", f"{calls:,} {DISPOSITION_WORDS[name]} ", element("code", name.value, class_="soft"))
