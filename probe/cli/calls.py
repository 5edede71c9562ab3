"""`probe calls`: history as a table, on the screen or for a spreadsheet."""

import argparse
import sys

from probe.cli.history import open_history
from probe.cli.main import FINE
from probe.cli.outside import page_width, print_json, print_lines
from probe.errors import ScenarioError
from probe.expectation import DISPOSITIONS
from probe.judged import judge_call
from probe.report.calls_csv import calls_csv
from probe.report.tables import calls_table


def run(arguments: argparse.Namespace) -> int:
    """List calls, the newest first."""
    if arguments.disposition not in (None, *DISPOSITIONS):
        names = ", ".join(DISPOSITIONS)
        raise ScenarioError(f"--disposition: {arguments.disposition!r} is no disposition; the names are {names}.")
    if arguments.csv and arguments.json:
        raise ScenarioError("--csv and --json are two forms of one answer; take one of the two out.")
    store = open_history(arguments)
    records = store.calls(
        caller=arguments.caller,
        callee=arguments.callee,
        scenario=arguments.scenario,
        disposition=arguments.disposition,
        limit=arguments.limit,
    )
    calls = map(judge_call, records)
    if arguments.json:
        from probe.documents import call_document  # noqa: PLC0415 - pydantic is heavy, and only JSON needs it

        for call in calls:
            print_json(call_document(call).plain())
    elif arguments.csv:
        sys.stdout.write(calls_csv(calls))
    else:
        print_lines(calls_table(tuple(calls), width=page_width()))
    return FINE
