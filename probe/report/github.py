"""Judged calls in, annotations for a GitHub Actions log out (workflow commands: `::error title=...::message`)."""

from collections.abc import Iterable, Iterator

from probe.expectation import describe
from probe.judged import JudgedCall
from probe.report.survival import Survived, difference
from probe.report.tables import expected_mark, what_happened
from probe.report.text import plain
from probe.verdict.survival import Fate

_KINDS = {"NO": "error", "untested": "warning"}


def annotations(calls: Iterable[JudgedCall]) -> Iterator[str]:
    """Write an error for each call that was not as expected, and a warning for each that could not be tested."""
    for call in calls:
        kind = _KINDS.get(expected_mark(call))
        if kind is not None:
            title = f"{call.record.request.caller} to {call.record.request.callee}"
            yield f"::{kind} title={_property(title)}::{_data(_message(call))}"


def damage_annotations(compared: Iterable[Survived]) -> Iterator[str]:
    """Write an error for each 603+ that did not come back as it was sent, where nothing else was expected."""
    for one in compared:
        if one.is_finding:
            damage = "; ".join(f"{part.name}: {difference(part)}" for part in one.parts if part.fate is not Fate.INTACT)
            title = f"{one.call.record.request.trunk}: the 603+ of {one.call.record.request.callee} did not survive"
            yield f"::error title={_property(title)}::{_data(damage)}"


def _message(call: JudgedCall) -> str:
    expected = call.record.request.expect
    wanted = f", expected {describe(expected)}" if expected else ""
    return f"{call.verdict.disposition}{wanted}: {what_happened(call)}"


def _data(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
