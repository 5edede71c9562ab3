"""`probe standing`: the reputation of each caller ID, per network."""

import argparse
from collections.abc import Callable, Iterable, Sequence

from probe.cli.history import open_history
from probe.cli.main import FINE
from probe.cli.outside import page_width, print_json, print_lines, say
from probe.cli.reputation import Reputation, profile, read_reputation
from probe.errors import ScenarioError
from probe.phone import normalise
from probe.report.lines import line
from probe.report.number import number
from probe.report.profile import Profile
from probe.report.standing_words import CallerStanding, by_caller
from probe.report.standings import standing_table

_EMPTY = (
    "No calls yet, so no caller ID has a standing: place some with `probe check` or `probe run`, or bring in those of "
    "others with `probe import`."
)


def run(arguments: argparse.Namespace) -> int:
    """Tell how every caller ID stands, or all that is known of one."""
    store = open_history(arguments)
    if arguments.rebuild:
        store.rebuild_all(_progress())
    known = read_reputation(store)
    callers = by_caller(known.standings)
    if arguments.number is not None:
        callers = (_chosen(callers, arguments.number),)
    if arguments.json:
        _print_documents(callers)
    elif arguments.number is not None:
        print_lines(number(profile(store, known, callers[0]), width=page_width()))
    else:
        _print_table(callers, known)
    store.close()
    return FINE


def _progress() -> Callable[[str, int, int], None]:
    """Tell how far it has come, a line for each tenth of the way."""
    told: set[tuple[str, int]] = set()

    def tell(what: str, done: int, total: int) -> None:
        tenth = (what, done * 10 // max(total, 1))
        if tenth not in told:
            told.add(tenth)
            say(f"{what}: {done:,} of {total:,}")

    return tell


def _chosen(callers: Iterable[CallerStanding], text: str) -> CallerStanding:
    wanted = normalise(text) or text
    found = next((one for one in callers if one.caller == wanted), None)
    if found is None:
        raise ScenarioError(f"{wanted!a} has placed no call; `probe standing` alone lists the caller IDs that have.")
    return found


def _print_documents(callers: Iterable[CallerStanding]) -> None:
    from probe.documents import standing_document  # noqa: PLC0415 - pydantic is heavy, and only JSON needs it

    if not callers:
        say(_EMPTY)
    for one in callers:
        for standing in (*one.networks.values(), one.whole):
            print_json(standing_document(standing).plain())


def _print_table(callers: Sequence[CallerStanding], known: Reputation) -> None:
    profiles = [Profile(standing=one, label=known.labels.get(one.caller)) for one in callers]
    print_lines(standing_table(profiles, width=page_width()) or [line(_EMPTY)])
