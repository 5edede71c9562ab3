"""`probe sim`: the carrier simulator."""

import argparse
import asyncio
from collections.abc import Callable, Iterator

from probe.cli.main import FINE
from probe.cli.outside import print_json, tell
from probe.sim import ANALYTICS, NUMBERS, ORDINARY
from probe.sim import run as answer_calls


def run(arguments: argparse.Namespace) -> int:
    """Answer calls until a signal comes, or list what each number does."""
    if arguments.list:
        _list(as_json=arguments.json)
        return FINE
    asyncio.run(answer_calls(arguments.bind, arguments.port, arguments.calls, _announcer(as_json=arguments.json)))
    return FINE


def _announcer(*, as_json: bool) -> Callable[[str], None]:
    def announce(address: str) -> None:
        if as_json:
            print_json({"listening": address})
        else:
            tell(f"probe sim listens on {address} (UDP and TCP); Ctrl-C stops it.")

    return announce


def _list(*, as_json: bool) -> None:
    rows = tuple(_rows())
    if as_json:
        for side, number, does, reads_as in rows:
            print_json({"side": side, "number": number, "does": does, "reads_as": reads_as})
        return
    for heading, side in (("A call to", "callee"), ("Whatever it dials, a call from", "caller")):
        tell(heading)
        for _, number, does, reads_as in (row for row in rows if row[0] == side):
            tell(f"  {number:<16} {does:<52} {reads_as}")
        tell("")


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for number, script in NUMBERS.items():
        yield "callee", number, script.does, script.reads_as
    yield "callee", "any other", ORDINARY.does, ORDINARY.reads_as
    for number, script in ANALYTICS.items():
        yield "caller", number, script.does, script.reads_as
