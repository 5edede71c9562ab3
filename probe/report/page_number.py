"""All that is known of one caller ID in trouble in, its section of the page out."""

from collections.abc import Iterable, Sequence
from typing import Final

from probe.health import Case, NoticeSeen, Signal, Standing
from probe.report.chart import timeline
from probe.report.contacts import Contact, contacts_of
from probe.report.notices import location_words
from probe.report.page_element import NOTHING, Child, Html, element, joined, said
from probe.report.page_map import mark
from probe.report.page_table import box, table
from probe.report.profile import Profile
from probe.report.signals import sentence
from probe.report.standing_words import (
    CallerStanding,
    badness,
    blocked_of,
    count,
    evidence,
    interval,
    minute,
    moment,
    percent,
    redress_words,
    where_and_since,
)
from probe.report.tables import seconds

_MOST_NOTICES: Final = 8
_MOST_NETWORKS: Final = 40
_CHECK_FIRST: Final = (
    "Contacts are what the network sent. They may be forged: check whom they belong to before you use them."
)
_HEADINGS: Final = (
    "Network", "Standing", "Since (UTC)", "Blocked", "Share", "95 % interval", "Declined", "Refused after",
    "Last call (UTC)",
)  # fmt: skip


def number_section(profile: Profile, anchor: str) -> Html:
    """Write the section: how it stands, its time line, who blocks it, what ties the blocks together, what to do."""
    one = profile.standing
    title = element("h3", said(one.caller), _named(profile.label), mark(one.whole.standing), id=f"{anchor}-title")
    return element(
        "article",
        title,
        element("p", _stands(one)),
        _steps(profile.steps),
        _time_line(profile, anchor),
        _networks(one, anchor),
        _signals(profile.signals),
        _notices(one.whole.notices),
        _redress(profile.cases),
        id=anchor,
        aria_labelledby=f"{anchor}-title",
    )


def _stands(one: CallerStanding) -> str:
    words = where_and_since(one)
    return f"{words[0].upper()}{words[1:]}. {evidence(one.whole)}".replace(" %", "\xa0%")


def _named(label: str | None) -> Html:
    return element("span", " ", said(label), class_="soft") if label else NOTHING


def _steps(steps: Sequence[str]) -> Html:
    if not steps:
        return NOTHING
    return joined(element("h4", "What to do next"), element("ol", (element("li", step) for step in steps)))


def _time_line(profile: Profile, anchor: str) -> Html:
    if not profile.observations:
        return NOTHING
    first, last = profile.observations[0].started_at, profile.observations[-1].started_at
    calls = count(len(profile.observations), "call")
    words = f"Time line: the latest {calls}, {moment(first)} to {moment(last)}"
    worst, *others = profile.standing.troubled
    drawing = Html(timeline(profile.observations, worst, [*map(_turn, others), *profile.signals]))
    drawn = box(drawing, labelled_by=f"{anchor}-time")
    return element("figure", element("figcaption", words, id=f"{anchor}-time"), drawn)


def _turn(one: Standing) -> Signal:
    """Write the moment at which a standing turned as a change for the time line to draw."""
    return Signal(
        kind=one.standing.value,
        dimension="network",
        value=one.network or "",
        p=0.0,
        network=one.network,
        since=one.since,
    )


def _networks(one: CallerStanding, anchor: str) -> Html:
    worst = sorted(one.networks.values(), key=badness)[:_MOST_NETWORKS]
    left_out = len(one.networks) - len(worst)
    caption = (
        f"Network by network, the worst {_MOST_NETWORKS} of {len(one.networks):,}" if left_out else "Network by network"
    )
    return table(f"{anchor}-networks", caption, _HEADINGS, [_row(network) for network in (*worst, one.whole)])


def _row(one: Standing) -> tuple[Child, ...]:
    return (
        said(one.network) if one.network else "As a whole",
        mark(one.standing),
        minute(one.since),
        blocked_of(one),
        percent(one.blocked_share),
        interval(one),
        f"{one.declined:,}",
        "-" if one.refused_ms is None else seconds(one.refused_ms),
        minute(one.last_call_at),
    )


def _signals(signals: Sequence[Signal]) -> Html:
    if not signals:
        return NOTHING
    sentences = (element("li", sentence(signal)) for signal in signals)
    return joined(element("h4", "What ties its blocks together"), element("ul", sentences))


def _notices(notices: Sequence[NoticeSeen]) -> Html:
    if not notices:
        return NOTHING
    newest = sorted(notices, key=lambda seen: seen.last_seen, reverse=True)
    left_out = len(newest) - _MOST_NOTICES
    more = (
        element("p", f"{count(left_out, 'older notice')} not shown here.", class_="small soft")
        if left_out > 0
        else NOTHING
    )
    warning = element("p", _CHECK_FIRST, class_="small soft")
    return joined(element("h4", "Who says so"), warning, map(_notice, newest[:_MOST_NOTICES]), more)


def _notice(seen: NoticeSeen) -> Html:
    where = f", {location_words(seen.location)}" if seen.location else ""
    times = f"{count(seen.count, 'call')}, first {moment(seen.first_seen)}, last {moment(seen.last_seen)}"
    contacts = contacts_of(seen)
    named = (
        _facts([(one.name, _contact(one)) for one in contacts]) if contacts else element("p", "It names no contact.")
    )
    return joined(element("p", times, said(where)), named)


def _contact(one: Contact) -> Html:
    flaw = element("span", f" ({one.flaw})", class_="flaw") if one.flaw else NOTHING
    return joined(element("code", said(one.value)), flaw)


def _redress(cases: Sequence[Case]) -> Html:
    if not cases:
        return NOTHING
    rows = [(case.blocker, element("span", redress_words(case))) for case in cases]
    return joined(element("h4", "Redress"), _facts(rows))


def _facts(rows: Iterable[tuple[str, Html]]) -> Html:
    return element("dl", ((element("dt", said(name)), element("dd", value)) for name, value in rows), class_="facts")
