"""Standings in, the heat map of caller IDs by network out: in each cell a colour, a shape, a share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from probe.health import Standing, State
from probe.report.page_element import Child, Html, element, joined, said
from probe.report.page_table import box, captioned
from probe.report.standing_words import (
    IN_TROUBLE,
    WORST_FIRST,
    CallerStanding,
    blocked_of,
    interval,
    minute,
    percent,
)

# One letter for each standing: there may be 20,000 cells. The style and the script know them.
CLASS_OF: Final = {
    State.BLOCKED: "b",
    State.SUSPECT: "s",
    State.RECOVERING: "r",
    State.CLEAN: "c",
    State.UNKNOWN: "u",
}
_WORDS: Final = {state: element("i", state.value) for state in State}
_NOT_TESTED: Final = element("td", element("i", "not tested"), class_="n", title="never called")
_MOST_CALLERS: Final = 2_000
_MOST_NETWORKS: Final = 40
_NAME_SHOWN: Final = 40
_LONG: Final = 30  # so many rows and more scroll in a box of their own
_WIDE: Final = 7  # so many networks and more are printed on paper laid across


def mark(state: State) -> Html:
    """Write a standing with its shape and its colour."""
    return element("span", state.value, class_=f"mark {CLASS_OF[state]}")


def networks_of(callers: Iterable[CallerStanding]) -> tuple[str, ...]:
    """Name the networks that were called, in the order of the alphabet."""
    return tuple(sorted({network for one in callers for network in one.networks}))


def heat_map(callers: Sequence[CallerStanding], labels: Mapping[str, str], anchors: Mapping[str, str]) -> Html:
    """Draw a row for each caller ID, in the order given. `anchors` are the ids of the sections about some of them.

    Of very many caller IDs the first are drawn, of very many networks those with the most trouble.
    """
    every = networks_of(callers)
    networks, shown = _most_troubled(callers, every), callers[:_MOST_CALLERS]
    rows = [_row(one, networks, labels.get(one.caller), anchors.get(one.caller)) for one in shown]
    table = element(
        "table",
        captioned(_title(len(callers), len(every)), "map-caption"),
        element("thead", element("tr", _heads(networks))),
        element("tbody", rows),
        class_="map",
    )
    length, width = "long" if len(shown) >= _LONG else "", "wide" if len(networks) >= _WIDE else ""
    drawn = box(table, labelled_by="map-caption", class_=f"box {length} {width}".rstrip())
    return joined(_legend(), _controls(), drawn)


def _most_troubled(callers: Iterable[CallerStanding], networks: Sequence[str]) -> tuple[str, ...]:
    if len(networks) <= _MOST_NETWORKS:
        return tuple(networks)
    troubles = Counter(
        network for one in callers for network, standing in one.networks.items() if standing.standing in IN_TROUBLE
    )
    return tuple(sorted(sorted(networks, key=lambda network: -troubles[network])[:_MOST_NETWORKS]))


def _title(callers: int, networks: int) -> str:
    title = "Each caller ID by network. A cell gives the standing and the share of judged calls that were blocked."
    if callers > _MOST_CALLERS:
        title += f" The worst {_MOST_CALLERS:,} of {callers:,} caller IDs are shown."
    if networks > _MOST_NETWORKS:
        title += f" The {_MOST_NETWORKS} most troubled of {networks:,} networks are shown."
    return title


def _heads(networks: Iterable[str]) -> list[Html]:
    names = [element("th", said(name, _NAME_SHOWN), scope="col", title=name) for name in networks]
    first, last = element("th", "Caller ID", scope="col"), element("th", "Last call (UTC)", scope="col")
    return [first, element("th", "As a whole", scope="col", aria_sort="descending"), *names, last]


def _row(one: CallerStanding, networks: Sequence[str], label: str | None, anchor: str | None) -> Html:
    number: Child = element("a", said(one.caller), href=f"#{anchor}") if anchor else said(one.caller)
    name = element("span", said(label, _NAME_SHOWN), class_="soft") if label else None
    cells = [_cell(one.networks.get(network)) for network in networks]
    last = element("td", minute(one.whole.last_call_at), class_="when")
    return element("tr", element("th", number, name, scope="row"), _cell(one.whole, " whole"), cells, last)


def _cell(one: Standing | None, kind: str = "") -> Html:
    if one is None:
        return _NOT_TESTED
    share = f" {percent(one.blocked_share)}"
    return element("td", _WORDS[one.standing], share, class_=CLASS_OF[one.standing] + kind, title=_counts(one))


def _counts(one: Standing) -> str:
    sure = f", {interval(one)}" if one.interval else ""
    return f"{blocked_of(one)} blocked{sure}; {one.standing.value} since {minute(one.since)}"


def _legend() -> Html:
    meanings = {
        State.BLOCKED: "calls are refused because of who calls",
        State.SUSPECT: "signs of a block, too few yet",
        State.RECOVERING: "was blocked; calls get through again",
        State.CLEAN: "calls get through",
        State.UNKNOWN: "too few calls to tell",
    }
    entries = [element("li", mark(state), " ", meanings[state]) for state in WORST_FIRST]
    return element("ul", entries, element("li", "empty: never called"), class_="legend small")


def _controls() -> Html:
    """The script shows these; without it, they could do nothing."""
    trouble = "".join(CLASS_OF[state] for state in WORST_FIRST if state in IN_TROUBLE)
    choices = [element("option", "All", value=""), element("option", "In trouble", value=trouble)]
    choices += [element("option", state.value.capitalize(), value=CLASS_OF[state]) for state in WORST_FIRST]
    return element(
        "div",
        element("label", "Find a number or a name", element("input", type="search", autocomplete="off")),
        element("label", "Standing as a whole", element("select", choices)),
        element("p", "", role="status", class_="small soft"),
        class_="controls",
        hidden=True,
    )
