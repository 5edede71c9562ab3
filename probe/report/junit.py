"""Judged calls in, JUnit XML for a CI job out.

A call that was not as expected is a failure. One that could not be tested (a guard refusal, nothing off the wire, never
placed) is an error: not run is never success.
"""

from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree as ET

from probe.expectation import describe
from probe.judged import JudgedCall
from probe.report.survival import Survived, difference
from probe.report.tables import expected_mark, what_happened
from probe.report.text import plain
from probe.verdict.survival import Fate


def junit(calls: Sequence[JudgedCall], *, planned: int, compared: Sequence[Survived] = ()) -> bytes:
    """Write one test suite for each scenario and one test case for each call.

    `planned` is the number of calls that were due; those without a record stand as one error. `compared` are the calls
    to far ends that are known to send a 603+: what became of it stands in the properties.
    """
    root = ET.Element("testsuites", name="probe")
    survivals = {one.call.record.request.id: one for one in compared}
    for scenario in dict.fromkeys(_classname(call) for call in calls):
        _add_suite(root, scenario, [call for call in calls if _classname(call) == scenario], survivals)
    missing = planned - len(calls)
    if missing > 0:
        suite = ET.SubElement(root, "testsuite", name="probe", tests="1", failures="0", errors="1", time="0.000")
        case = ET.SubElement(suite, "testcase", classname="probe", name="every planned call", time="0.000")
        ET.SubElement(case, "error", type="not_placed", message=f"{missing} of {planned} planned calls were not placed")
    _total(root)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _classname(call: JudgedCall) -> str:
    return plain(call.record.request.scenario or "probe")


def _add_suite(root: ET.Element, scenario: str, calls: Sequence[JudgedCall], survivals: Mapping[str, Survived]) -> None:
    started = min(call.record.started_at for call in calls)
    suite = ET.SubElement(root, "testsuite", name=scenario, timestamp=f"{started:%Y-%m-%dT%H:%M:%S}")
    for call in calls:
        _add_case(suite, call, survivals.get(call.record.request.id))
    suite.set("tests", str(len(calls)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("time", f"{sum(map(_seconds, calls)):.3f}")


def _add_case(suite: ET.Element, call: JudgedCall, survived: Survived | None) -> None:
    request, verdict = call.record.request, call.verdict
    name = plain(f"{request.caller} -> {request.callee}")
    case = ET.SubElement(suite, "testcase", classname=_classname(call), name=name, time=f"{_seconds(call):.3f}")
    if survived:
        _add_properties(case, survived)
    outcome = {"NO": "failure", "untested": "error"}.get(expected_mark(call))
    if outcome:
        expected = f"expected {describe(request.expect)}" if request.expect else "expected an answer off the wire"
        message = plain(f"{expected}, was {verdict.disposition} ({verdict.confidence}): ") + what_happened(call)
        ET.SubElement(case, outcome, type=verdict.disposition, message=message).text = _lines(verdict.because)
    ET.SubElement(case, "system-out").text = plain(f"call {request.id}: ") + what_happened(call)


def _add_properties(case: ET.Element, survived: Survived) -> None:
    """Write what became of each part of a 603+; a damaged one is a failure where nothing else was expected."""
    properties = ET.SubElement(case, "properties")
    for part in survived.parts:
        ET.SubElement(properties, "property", name=f"603+ {part.name}", value=part.fate.value)
    if survived.is_finding:
        damage = [f"{part.name}: {difference(part)}" for part in survived.parts if part.fate is not Fate.INTACT]
        failure = ET.SubElement(case, "failure", type="notice_damaged", message="the 603+ did not come back whole")
        failure.text = _lines(damage)


def _lines(texts: Iterable[str]) -> str:
    return "\n".join(plain(text) for text in texts)


def _seconds(call: JudgedCall) -> float:
    return (call.record.ended_at - call.record.started_at).total_seconds()


def _total(root: ET.Element) -> None:
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
