"""Judged calls in, annotations for a GitHub Actions log out (workflow commands: `::error title=...::message`)."""

from collections.abc import Iterable, Iterator

from probe.expectation import describe
from probe.judged import JudgedCall
from probe.report.tables import expected_mark, what_happened
from probe.report.text import plain

_KINDS = {"NO": "error", "untested": "warning"}


def annotations(calls: Iterable[JudgedCall]) -> Iterator[str]:
    """Write an error for each call that was not as expected, and a warning for each that could not be tested."""
    for call in calls:
        kind = _KINDS.get(expected_mark(call))
        if kind is not None:
            title = f"{call.record.request.caller} to {call.record.request.callee}"
            yield f"::{kind} title={_property(title)}::{_data(_message(call))}"


def _message(call: JudgedCall) -> str:
    expected = call.record.request.expect
    wanted = f", expected {describe(expected)}" if expected else ""
    return f"{call.verdict.disposition}{wanted}: {what_happened(call)}"


def _data(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
