"""`probe prune`: the raw messages of old calls dropped; verdicts, notices, times and counts stay."""

import argparse
from datetime import timedelta

from probe.cli.history import open_history
from probe.cli.main import FINE
from probe.cli.outside import now, print_json, say, tell
from probe.store import Keep, Pruned, Store

_UNITS = ("bytes", "kB", "MB", "GB")
_THOUSAND = 1000
_CENTURY = 36_525


def run(arguments: argparse.Namespace) -> int:
    """Drop the messages a few hundred calls at a time, so that a daemon on the same store goes on."""
    keep = Keep(through=_days(arguments.keep_days), others=_days(arguments.keep_failures_days))
    store = open_history(arguments)
    try:
        done = _prune(store, keep, dry_run=arguments.dry_run)
    finally:
        store.close()
    if arguments.json:
        counts = {"calls": done.calls, "bytes": done.bytes, "held": done.held}
        print_json({"dry_run": arguments.dry_run, **counts})
    else:
        _tell(done, dry_run=arguments.dry_run)
    return FINE


def _days(count: int) -> timedelta:
    """More days than the calendar has would be no moment at all."""
    return timedelta(days=min(count, _CENTURY))


def _prune(store: Store, keep: Keep, *, dry_run: bool) -> Pruned:
    moment = now()
    done = store.prune(keep, moment, dry_run=dry_run)
    while done.last is not None:
        done = done.plus(store.prune(keep, moment, done.last, dry_run=dry_run))
    return done


def _tell(done: Pruned, *, dry_run: bool) -> None:
    what = "would be dropped" if dry_run else "dropped"
    tell(f"{done.calls:,} calls: {_size(done.bytes)} of raw messages {what}; verdicts, notices and counts stay.")
    if done.held:
        say(f"{done.held:,} more are old enough, but belong to a round under way or to redress that was asked for.")


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < _THOUSAND:
            return f"{count:,.0f} {unit}" if unit == _UNITS[0] else f"{count:,.1f} {unit}"
        count /= _THOUSAND
    return f"{count:,.1f} {_UNITS[-1]}"
