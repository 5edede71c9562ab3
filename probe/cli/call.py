"""`probe call`: one guarded call, now."""

import argparse

from probe.agent.start import start_process


def run(arguments: argparse.Namespace) -> int:
    """Start the user agent's process, and load the rest of the program beside it."""
    first = None if arguments.dry_run else start_process()
    from probe.cli.one_call import place_one  # noqa: PLC0415 - see above: half of the time to the INVITE is loading

    return place_one(arguments, first)
