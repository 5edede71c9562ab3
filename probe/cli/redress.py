"""`probe redress`: the book of blocks, and the folder for a redress desk. Nothing is opened, called or mailed."""

import argparse
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from probe.cli.history import open_history
from probe.cli.main import FINE
from probe.cli.outside import now, page_width, print_json, print_lines, say
from probe.documents import timestamp
from probe.errors import ScenarioError, StoreError
from probe.health import Case, Signal, Standing
from probe.health.redress import Step, blocker_of, opens_case
from probe.health.signals import find_signals
from probe.judged import JudgedCall, judge_call
from probe.phone import normalise
from probe.report.dossier import MOST_LISTED, BlockedCall, Dossier
from probe.report.redress import folder, safe_name
from probe.report.redress_book import book_table, case_page, case_steps
from probe.store import Store

# Of the time before the first block, so much stands in the chart.
_BEFORE = timedelta(days=30)


def run(arguments: argparse.Namespace) -> int:
    """Show the book, or a number's cases; write their folders, and note what was done about them."""
    store, step = open_history(arguments), _step(arguments)
    if arguments.number is None:
        _require_number(arguments, step)
        cases = store.cases()
        _tell(arguments, cases, {}, ()) if arguments.json else print_lines(book_table(cases))
        return FINE
    number = normalise(arguments.number) or arguments.number
    cases = _chosen(store, number, arguments.blocker)
    places = _write(store, cases, Path(arguments.output)) if arguments.output else {}
    if step is not None:
        cases = _note(store, number, arguments.blocker, step)
    if arguments.json:
        _tell(arguments, cases, places, store.standings([number]))
    elif not places and step is None:
        _show(store, cases)
    return FINE


def _step(arguments: argparse.Namespace) -> Step | None:
    return next((step for step in Step if getattr(arguments, step)), None)


def _require_number(arguments: argparse.Namespace, step: Step | None) -> None:
    given = [name for name, value in (("-o", arguments.output), ("--blocker", arguments.blocker)) if value]
    given += [f"--{step}"] if step else []
    if given:
        raise ScenarioError(f"{given[0]} needs a NUMBER; `probe redress` alone lists those that have a case.")


def _chosen(store: Store, number: str, blocker: str | None) -> tuple[Case, ...]:
    cases = store.cases(number)
    if not cases:
        raise ScenarioError(
            f"{number} has no case: no blocker's notice came to a call from it; `probe redress` lists those that have."
        )
    chosen = tuple(case for case in cases if blocker in {None, case.blocker})
    if not chosen:
        names = ", ".join(case.blocker for case in cases)
        raise ScenarioError(f"--blocker: {blocker} has not blocked {number}; those that have are {names}.")
    return chosen


def _note(store: Store, number: str, blocker: str | None, step: Step) -> tuple[Case, ...]:
    cases = store.note_case(number, blocker, step, now())
    for case in cases:
        say(f"noted: {case.caller} blocked by {case.blocker} is {case.stage}")
    return cases


def _tell(
    arguments: argparse.Namespace, cases: Sequence[Case], places: Mapping[str, Path], standings: Sequence[Standing]
) -> None:
    for case in cases:
        document = _document(case)
        if arguments.number is not None:
            document["next_steps"] = case_steps(case, standings)
        if case.blocker in places:
            document["folder"] = str(places[case.blocker])
        print_json(document)


def _document(case: Case) -> dict[str, Any]:
    said = case.contacts
    return {
        "caller": case.caller,
        "blocker": case.blocker,
        "redress": case.stage,
        "count": case.count,
        "first_seen": timestamp(case.first_seen),
        "last_seen": timestamp(case.last_seen),
        "networks": case.networks,
        "url": said.url,
        "tel": said.tel,
        "email": said.email,
        "id": said.id,
        "location": said.location,
        "card": said.call_info,
        "asked_at": _time(case.asked_at),
        "answered_at": _time(case.answered_at),
        "cleared_at": _time(case.cleared_at),
        "back_at": _time(case.back_at),
    }


def _time(at: datetime | None) -> str | None:
    return timestamp(at) if at else None


def _show(store: Store, cases: Sequence[Case]) -> None:
    standings = store.standings([cases[0].caller])
    for case in cases:
        theirs = [one for one in standings if one.network in case.networks]
        print_lines(case_page(case, theirs, case_steps(case, standings), width=page_width()))


def _write(store: Store, cases: Sequence[Case], place: Path) -> dict[str, Path]:
    """Write a folder for each case: `place` itself, or where there are several, one in it for each blocker."""
    _require_empty(place)
    places = {case.blocker: place / safe_name(case.blocker) if len(cases) > 1 else place for case in cases}
    changes = _changes(store, cases[0].caller)
    for case in cases:
        files = folder(_dossier(store, case, changes))
        try:
            _write_files(place, places[case.blocker], files)
        except OSError as error:
            raise ScenarioError(
                f"-o: {place} cannot be written ({error.strerror}); name a new folder in a place that is yours."
            ) from error
        say(f"wrote {len(files)} files to {places[case.blocker]}, for your eyes only; begin with README.txt")
    return places


def _require_empty(place: Path) -> None:
    """Make sure that nothing is overwritten: a letter in there may be filled in already."""
    try:
        taken = place.exists() and (not place.is_dir() or any(place.iterdir()))
    except OSError as error:
        raise ScenarioError(f"-o: {place} cannot be read ({error.strerror}); name a folder that is yours.") from error
    if taken:
        raise ScenarioError(f"-o: {place} is there and is no empty folder; name a new one, for nothing is overwritten.")


def _write_files(root: Path, place: Path, files: Mapping[str, bytes]) -> None:
    """Write files that only their owner can read, for they hold numbers of people; one that is there is an error."""
    root.parent.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = place / name
        for one in (root, place, path.parent):
            one.mkdir(mode=0o700, exist_ok=True)
        with open(path, "xb", opener=_private) as file:
            file.write(content)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _changes(store: Store, caller: str) -> tuple[Signal, ...]:
    """Give what changed among a number's calls; whether it did is only told with all numbers in view."""
    signals = find_signals(store.tallies(), store.standings())
    return tuple(signal for signal in signals if signal.caller == caller and signal.since)


def _dossier(store: Store, case: Case, changes: tuple[Signal, ...]) -> Dossier:
    seen = [one for one in store.observations(case.caller) if case.first_seen - one.started_at <= _BEFORE]
    theirs = [one for one in seen if one.contacts and opens_case(one) and blocker_of(one.contacts) == case.blocker]
    newest = sorted(theirs, key=lambda one: (one.started_at, one.call_id), reverse=True)[:MOST_LISTED]
    controls = store.controls([one.call_id for one in newest])
    return Dossier(
        case=case,
        made_at=now(),
        calls=tuple(_blocked(store, one.call_id, controls.get(one.call_id)) for one in newest),
        standings=store.standings([case.caller]),
        observations=tuple(seen),
        changes=changes,
    )


def _blocked(store: Store, call_id: str, control: str | None) -> BlockedCall:
    return BlockedCall(call=judge_call(store.call(call_id)), control=_control(store, control) if control else None)


def _control(store: Store, call_id: str) -> JudgedCall | None:
    try:
        return judge_call(store.call(call_id))
    except StoreError:  # it is still under way: the desk is told what is known so far
        return None
