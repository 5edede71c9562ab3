"""`probe show`: one call with its ladder, raw messages, notice and verdict."""

import argparse

from probe.cli.history import open_history
from probe.cli.main import FINE
from probe.cli.outside import page_width, print_json, print_lines
from probe.judged import judge_call
from probe.report.show import show


def run(arguments: argparse.Namespace) -> int:
    """Show one call in full."""
    store = open_history(arguments)
    judged = judge_call(store.call(arguments.id))
    control = store.controls([judged.record.request.id]).get(judged.record.request.id)
    if arguments.json:
        from probe.documents import call_document  # noqa: PLC0415 - pydantic is heavy, and only JSON needs it

        print_json(call_document(judged, control=control).plain())
    else:
        print_lines(show(judged, width=page_width(), control=control))
    return FINE
