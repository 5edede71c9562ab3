"""A standing, the signals about it and its cases in, what to do next out: sentences from rows of data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from shlex import quote
from typing import Final

from probe.health.redress import Case, Stage, may_close
from probe.health.sequential import State
from probe.health.standing import Signal, Standing
from probe.health.tally import WEEKDAY_NAMES, Dimension
from probe.sip.visible import visible
from probe.verdict import Disposition

_LONGEST: Final = 80
_OFTEN: Final = 0.05  # of the calls: one refusal of a kind in a hundred calls asks for nothing


class Fact(StrEnum):
    """What a next step may need to be known. Of standings, their calls and notices, of cases, and of signals."""

    BLOCKED = "blocked"
    SUSPECT = "suspect"
    RECOVERING = "recovering"
    UNKNOWN = "unknown"
    TROUBLE = "blocked, suspect or recovering"
    ANALYTICS = "call analytics blocked calls"
    DAMAGED = "signs of a block were damaged on the way"
    SUBSCRIBER = "called parties want no calls"
    PROVIDER = "the provider's own rules blocked calls"
    IDENTITY = "the caller ID or its signature was refused"
    ACCOUNT = "the trunk refused the account"
    NO_CONTACT = "a blocker that names no contact"
    OPEN = "a blocker that nobody has asked"
    ASKED = "a blocker that was asked and blocks on"
    BACK = "a blocker that blocks again after it cleared"
    CLEAN_SINCE_ASKED = "calls get through since a blocker was asked"
    CLEAN_UNASKED = "calls get through again though nobody asked"
    ON_NETWORK = "blocks come on one network"
    OVER_TRUNK = "blocks come over one trunk"
    AT_DESTINATION = "blocks come at one destination"
    IN_CAMPAIGN = "blocks come with a campaign, label or tag"
    WITH_LEADS = "blocks come with one source of leads"
    IN_HOURS = "blocks come at hours or on weekdays"
    BLOCKS_ROSE = "blocks have risen"
    DECLINES_ROSE = "declines have risen"
    SILENT = "silent blocks"
    TRUNK = "a trunk refuses everybody"
    DESTINATION = "a destination refuses everybody"
    PATH = "blocks come from one site alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row: said once for everything that `about` holds for, where all of `needs` are known and none of `bars`.

    `{caller}` and what the fact names, such as `{value}`, stand for themselves in the words.
    """

    about: Fact
    needs: frozenset[Fact] = frozenset()
    bars: frozenset[Fact] = frozenset()
    words: str


def _step(about: Fact, words: str, *, needs: tuple[Fact, ...] = (), bars: tuple[Fact, ...] = ()) -> Step:
    return Step(about=about, needs=frozenset(needs), bars=frozenset(bars), words=words)


# The most urgent first. The trunk comes before all that is said of a number, for with it broken nothing else is known.
STEPS: Final = (
    _step(
        Fact.TRUNK,
        "Trunk: {value} refuses every caller ID; show your trunk provider the Call-IDs, and judge no number by calls "
        "over it until that is mended.",
    ),
    _step(Fact.ACCOUNT, "Trunk: check the account, its balance and its limits; part of the calls never left it."),
    _step(
        Fact.IDENTITY,
        "Attestation: have the trunk provider confirm that {caller} is assigned to you and that its calls are signed "
        "with attestation A (STIR/SHAKEN).",
    ),
    _step(
        Fact.PROVIDER,
        "Trunk: ask the provider which of its own rules blocks {caller}; no redress desk can lift that.",
        needs=(Fact.TROUBLE,),
    ),
    _step(
        Fact.PATH,
        "Path: {caller} is blocked from site {value} alone; compare its trunk, its attestation and its address with "
        "those of the other sites before you do anything about the number.",
    ),
    _step(
        Fact.BLOCKED,
        "Take {caller} out of rotation: each more blocked call counts against it. Do not put a new number in its place "
        "that calls in the same way.",
    ),
    _step(
        Fact.BACK,
        "Redress: {blocker} blocks {caller} again since {back}, after it cleared it on {cleared}: ask again and quote "
        "the first case; then find what brings the block back.",
    ),
    _step(
        Fact.CLEAN_SINCE_ASKED,
        "Redress: {caller} got through since you asked {blocker}: close the case with {command} --cleared",
    ),
    _step(
        Fact.CLEAN_UNASKED,
        "Redress: {caller} gets through again where {blocker} blocked it: close the case with {command} --cleared",
    ),
    _step(
        Fact.ASKED,
        "Redress: you asked {blocker} on {asked} and it blocks on, last on {last}: ask how far it is. It is owed free "
        "of charge (47 CFR 64.1200(k)(8)).",
        needs=(Fact.TROUBLE,),
    ),
    _step(
        Fact.OPEN,
        "Redress: worth asking {blocker}, which says itself that it blocks ({count}): {command} -o DIR writes what its "
        "desk needs.",
        needs=(Fact.TROUBLE,),
    ),
    _step(
        Fact.NO_CONTACT,
        "Redress: a notice names no contact; ask the carrier of the called number which analytics company serves it.",
        needs=(Fact.TROUBLE,),
    ),
    _step(
        Fact.SILENT,
        "Redress: calls to {value} are blocked in silence; no desk is named, so show the carrier both calls, the "
        "refused one and that of {control} which got through.",
    ),
    _step(
        Fact.ON_NETWORK,
        "Registration: only {value} blocks {caller} beyond chance; register the number and its display name with the "
        "analytics company that serves {value}, and ask for redress there first.",
    ),
    _step(
        Fact.ANALYTICS,
        "Registration: check how {caller} is registered and labelled with the analytics companies of the big carriers.",
        needs=(Fact.TROUBLE,),
        bars=(Fact.ON_NETWORK,),
    ),
    _step(
        Fact.OVER_TRUNK,
        "Attestation: blocks come over trunk {value}; compare which attestation (A, B or C) each trunk gives to "
        "{caller}, and through whom it sends the calls.",
    ),
    _step(
        Fact.IN_CAMPAIGN,
        "Calling pattern: blocks come with {value}; look at its pace, its attempts per lead and how soon people hang "
        "up before you look at the number.",
    ),
    _step(
        Fact.WITH_LEADS,
        "List quality: blocks come with leads from {value}; check consent, age and reassigned numbers before any more "
        "of them are called.",
    ),
    _step(
        Fact.IN_HOURS,
        "Calling windows: blocks come {when}; move these calls, or spread them over the day.",
    ),
    _step(
        Fact.AT_DESTINATION,
        "List quality: blocks come at {value} more than at others of its network; it may be the called party's own "
        "block: honour it.",
    ),
    _step(
        Fact.SUBSCRIBER,
        "List quality: called parties blocked {caller} themselves; take them off the list, and call them from no other "
        "number.",
    ),
    _step(
        Fact.DECLINES_ROSE,
        "Frequency: people decline more since {since}; call each lead less often, and check the name and label that "
        "their phones show. Blocks by analytics tend to follow.",
    ),
    _step(
        Fact.BLOCKS_ROSE,
        "Calling pattern: blocks are more since {since}; look for what changed then: list, campaign, pace or trunk.",
        needs=(Fact.TROUBLE,),
    ),
    _step(
        Fact.BLOCKED,
        "Frequency: nothing ties the blocks together, so look at how {caller} is used: calls a day, attempts per lead, "
        "calls of a few seconds.",
        bars=(
            *(Fact.ON_NETWORK, Fact.OVER_TRUNK, Fact.AT_DESTINATION, Fact.IN_CAMPAIGN, Fact.WITH_LEADS),
            *(Fact.IN_HOURS, Fact.DECLINES_ROSE, Fact.TRUNK, Fact.PATH),
        ),
    ),
    _step(
        Fact.DAMAGED,
        "Trunk: signs of a block were damaged on the way; ask the provider for the responses as it received them.",
        needs=(Fact.TROUBLE,),
    ),
    _step(Fact.DESTINATION, "Test line: {value} refuses every caller ID; check the line, or test with another one."),
    _step(
        Fact.SUSPECT,
        "Place more test calls, and a control call for each that is refused, before you take {caller} out of rotation.",
    ),
    _step(
        Fact.RECOVERING,
        "Calls get through again: go on testing, and let {caller} back into rotation slowly once it stands clean.",
    ),
    _step(Fact.UNKNOWN, "Too little is known of {caller}: place more test calls.", bars=(Fact.SILENT, Fact.TRUNK)),
)

_STATES: Final = {
    State.BLOCKED: (Fact.BLOCKED, Fact.TROUBLE),
    State.SUSPECT: (Fact.SUSPECT, Fact.TROUBLE),
    State.RECOVERING: (Fact.RECOVERING, Fact.TROUBLE),
    State.UNKNOWN: (Fact.UNKNOWN,),
    State.CLEAN: (),
}
_CALLS: Final = {
    Disposition.ANALYTICS_BLOCKED: Fact.ANALYTICS,
    Disposition.ANALYTICS_SUSPECTED: Fact.DAMAGED,
    Disposition.SUBSCRIBER_BLOCKED: Fact.SUBSCRIBER,
    Disposition.PROVIDER_BLOCKED: Fact.PROVIDER,
    Disposition.CALLER_ID_REJECTED: Fact.IDENTITY,
    Disposition.TRUNK_MISCONFIGURED: Fact.ACCOUNT,
}
_LEAST: Final = {Fact.IDENTITY: _OFTEN, Fact.ACCOUNT: _OFTEN}
_TIES: Final[Mapping[str, Fact]] = {
    Dimension.NETWORK: Fact.ON_NETWORK,
    Dimension.TRUNK: Fact.OVER_TRUNK,
    Dimension.DESTINATION: Fact.AT_DESTINATION,
    Dimension.CAMPAIGN: Fact.IN_CAMPAIGN,
    Dimension.LABEL: Fact.IN_CAMPAIGN,
    Dimension.TAG: Fact.IN_CAMPAIGN,
    Dimension.LEAD_SOURCE: Fact.WITH_LEADS,
    Dimension.HOUR: Fact.IN_HOURS,
    Dimension.WEEKDAY: Fact.IN_HOURS,
}
_KINDS: Final[Mapping[str, Fact]] = {
    "blocks_rose": Fact.BLOCKS_ROSE,
    "declines_rose": Fact.DECLINES_ROSE,
    "silent_block": Fact.SILENT,
    "trunk_problem": Fact.TRUNK,
    "destination_problem": Fact.DESTINATION,
    "path": Fact.PATH,
}

_Said = Mapping[str, str]


def steps_for(standing: Standing, signals: Sequence[Signal], cases: Sequence[Case]) -> tuple[str, ...]:
    """Say what a person should do next about a caller ID, as a whole or on one network; the most urgent first.

    Of the signals and cases only those that concern it count. What the network wrote is quoted, made plain; nothing in
    it is ever to be used by a program.
    """
    said: dict[Fact, list[_Said]] = {}
    for fact, words in _facts(standing, signals, cases):
        said.setdefault(fact, []).append({"caller": visible(standing.caller), **words})
    rows = (row for row in STEPS if row.needs <= said.keys() and not row.bars & said.keys())
    return tuple(dict.fromkeys(row.words.format_map(words) for row in rows for words in said.get(row.about, ())))


def _facts(standing: Standing, signals: Sequence[Signal], cases: Sequence[Case]) -> Iterator[tuple[Fact, _Said]]:
    yield from ((fact, {}) for fact in _STATES[standing.standing])
    yield from ((fact, {}) for fact in _heard(standing))
    for signal in signals:
        if _concerns(signal, standing) and (fact := _fact_of(signal)):
            yield fact, _words_of(signal)
    theirs = [case for case in cases if case.caller == standing.caller]
    for case in theirs:
        here = standing.network is None or standing.network in case.networks
        if here and (fact := _stage(case, standing)):
            yield fact, _words_of_case(case, alone=len(theirs) == 1)


def _heard(standing: Standing) -> Iterator[Fact]:
    calls = sum(standing.dispositions.values())
    for disposition, fact in _CALLS.items():
        if (count := standing.dispositions.get(disposition, 0)) and count >= _LEAST.get(fact, 0.0) * calls:
            yield fact
    if any(not (notice.url or notice.tel or notice.email) for notice in standing.notices):
        yield Fact.NO_CONTACT


def _concerns(signal: Signal, standing: Standing) -> bool:
    """Say whether a signal is about this caller ID here, or about a trunk or line that is broken for everybody."""
    if signal.network not in {None, standing.network} and standing.network is not None:
        return False
    broken = signal.kind in {"trunk_problem", "destination_problem"} and standing.standing is not State.CLEAN
    return signal.caller == standing.caller or broken


def _fact_of(signal: Signal) -> Fact | None:
    return _TIES.get(signal.dimension) if signal.kind == "cluster" else _KINDS.get(signal.kind)


def _words_of(signal: Signal) -> _Said:
    value, weekday = _shown(signal.value), WEEKDAY_NAMES.get(signal.value)
    return {
        "value": value,
        "when": f"on {weekday}" if weekday else f"from {value}:00 to {value}:59",
        "since": _day(signal.since),
        "control": _shown(signal.control or ""),
    }


def _stage(case: Case, standing: Standing) -> Fact | None:
    """Say how far a case has come, and what the calls since then say; None where there is only to wait."""
    networks = case.networks or (None,)
    asked = case.stage in {Stage.ASKED, Stage.ANSWERED}
    # As a whole a number stands as on its worst network: if it is clean, it is clean on each.
    if may_close(case, [standing if standing.network else replace(standing, network=name) for name in networks]):
        return Fact.CLEAN_SINCE_ASKED if asked else Fact.CLEAN_UNASKED
    if asked:
        return Fact.ASKED if case.asked_at and case.last_seen > case.asked_at else None
    return {Stage.OPEN: Fact.OPEN, Stage.BACK: Fact.BACK}.get(case.stage)


def _words_of_case(case: Case, *, alone: bool) -> _Said:
    command = f"probe redress {quote(visible(case.caller))}"
    return {
        "blocker": _shown(case.blocker),
        "count": "1 notice" if case.count == 1 else f"{case.count:,} notices",
        "asked": _day(case.asked_at),
        "cleared": _day(case.cleared_at),
        "back": _day(case.back_at),
        "last": _day(case.last_seen),
        "command": command if alone else f"{command} --blocker {quote(visible(case.blocker))}",
    }


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


def _shown(text: str) -> str:
    return visible(text)[:_LONGEST]
