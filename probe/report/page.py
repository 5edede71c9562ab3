"""All that is known of the caller IDs in, one HTML page that needs nothing else out.

The page loads nothing and leaves nowhere: its Content Security Policy forbids every request, and the only script that
may run is the one whose hash stands there. Styles may stand inline, because the drawings bring some; with every request
forbidden a style can do no harm.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from typing import Final

from probe.health import Signal, Standing
from probe.report.page_element import Html, element, joined
from probe.report.page_map import heat_map
from probe.report.page_number import number_section
from probe.report.page_reading import reading
from probe.report.page_summary import summary
from probe.report.page_untested import Untested, untested_section
from probe.report.profile import Profile
from probe.report.signals import sentence
from probe.report.standing_words import IN_TROUBLE, by_caller, count, moment

MOST_IN_FULL: Final = 60
_MOST_SIGNALS: Final = 100
_NOBODY: Final = element("p", "None.")
_TITLE: Final = "Which caller IDs get through"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the page tells. `troubles` are the caller IDs to show in full, the worst first; `labels` are by caller ID.

    `began` is the day of the first call, where it is known.
    """

    made_at: datetime
    standings: Sequence[Standing]
    troubles: Sequence[Profile]
    signals: Sequence[Signal]
    untested: Untested
    labels: Mapping[str, str] = field(default_factory=dict)
    began: datetime | None = None


def page(overview: Overview) -> str:
    """Write the page, to be saved as UTF-8."""
    style, script = _part("page.css"), _part("page.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{_TITLE}, {moment(overview.made_at)}"),
        element("style", Html(style)),
    )
    body = element("body", _body(overview), element("script", Html(script)))
    return f"<!doctype html>\n{element('html', head, body, lang='en').text}\n"


def _part(name: str) -> str:
    return files("probe.report").joinpath(name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    digest = b64encode(sha256(script.encode()).digest()).decode()
    nowhere = "base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; {nowhere}"


def _body(overview: Overview) -> Html:
    made = element("p", f"Made {moment(overview.made_at)}. All times are UTC.", class_="soft small")
    head = element("header", element("h1", _TITLE), made)
    if not overview.standings:
        return joined(head, element("main", element("p", _EMPTY, class_="lead")))
    return joined(
        element("a", "Skip to the heat map", href="#map", class_="skip"),
        head,
        element("main", _main(overview)),
        element("footer", element("p", _FOOT, class_="soft small")),
    )


_EMPTY: Final = (
    "No call has been judged yet, so there is nothing to tell. Place calls with probe check or probe run, or bring in "
    "calls that others placed with probe import; then make this page again."
)
_FOOT: Final = "Made by probe. The page is complete in itself: it opens nothing and sends nothing."


def _main(overview: Overview) -> Html:
    callers = by_caller(overview.standings)
    anchors = {profile.standing.caller: f"n{number}" for number, profile in enumerate(overview.troubles, start=1)}
    sections = [number_section(profile, anchors[profile.standing.caller]) for profile in overview.troubles]
    in_trouble = sum(one.whole.standing in IN_TROUBLE for one in callers)
    return joined(
        summary(callers, overview.troubles, overview.signals, overview.began),
        _section("map", "Caller IDs by network", heat_map(callers, overview.labels, anchors)),
        _section("trouble", "Caller IDs in trouble", _left_out(in_trouble - len(sections)), sections or _NOBODY),
        _section("signals", "What ties the blocks together", _signals(overview.signals)),
        _section(
            "untested",
            "What was not tested, and why",
            untested_section(overview.untested, (one.whole for one in callers)),
        ),
        _section("reading", "How to read this page", reading()),
    )


def _section(name: str, title: str, *content: Html | Sequence[Html]) -> Html:
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, content, id=name, aria_labelledby=f"{name}-title")


def _left_out(number: int) -> Html:
    if number <= 0:
        return Html("")
    more = count(number, "more caller ID is", "more caller IDs are")
    words = f"The worst stand here. {more} in the heat map alone; for each, use "
    return element("p", words, element("code", "probe standing NUMBER"), ".")


def _signals(signals: Sequence[Signal]) -> Html:
    if not signals:
        return element("p", "Nothing: the blocks have no more in common than chance allows.")
    surest = sorted(signals, key=lambda signal: signal.p)
    more = len(surest) - _MOST_SIGNALS
    rest = element("p", f"And {count(more, 'weaker signal')}.") if more > 0 else Html("")
    return joined(element("ul", (element("li", sentence(one)) for one in surest[:_MOST_SIGNALS])), rest)
