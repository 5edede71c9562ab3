"""A dossier in, the folder for a blocker's redress desk out: the name of each file and its bytes.

Everything in it is text or a capture. A contact is never a link: it came with a refusal, and whoever sent that may not
be who they say (RFC 8688 s6).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from shlex import quote
from typing import Final

from probe.health import Standing
from probe.report.chart import timeline, timeline_file
from probe.report.csv_text import rows_to_csv
from probe.report.dossier import CALL_FACTS, BlockedCall, Dossier, case_contacts
from probe.report.letter import letter
from probe.report.lines import BLANK, Line, Span, Tone, as_text, line
from probe.report.opinion import fact, heading
from probe.report.pcap import write_pcap
from probe.report.show import ladder_section, messages_section
from probe.report.standing_words import blocked_of, count, interval, moment, percent
from probe.report.text import plain

_LONGEST_NAME: Final = 80
_HEADING: Final = len(heading(""))
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+@-]")
_NOT_KNOWN: Final = "not known"
_CHECK_FIRST: Final = "as the notice gives them; not verified, so find out whom they belong to before you use them"


def folder(dossier: Dossier) -> dict[str, bytes]:
    """Write every file of the folder; the names are relative, their parts safe on any file system."""
    texts = {
        "README.txt": as_text(_readme(dossier)),
        "facts.txt": as_text(_facts(dossier)),
        "facts.csv": rows_to_csv([one.column for one in CALL_FACTS], _rows(dossier.calls)),
        "ladder.txt": as_text(_ladders(dossier.shown)),
        "chart.svg": timeline_file(timeline(dossier.observations, _drawn(dossier), dossier.changes)),
        "letter.md": letter(dossier),
    }
    return {name: text.encode() for name, text in texts.items()} | dict(_raw(dossier.shown))


def safe_name(text: str) -> str:
    """Make a text the name of a file: a few plain characters, never a path, and another one for another text."""
    kept = _UNSAFE.sub("_", text).lstrip(".-")[:_LONGEST_NAME]
    if kept and kept == text:
        return kept
    return f"{kept or 'other'}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _raw(calls: Iterable[BlockedCall]) -> Iterator[tuple[str, bytes]]:
    for one in calls:
        record = one.call.record
        if record.messages:
            name = safe_name(record.request.id)
            yield f"messages/{name}.sip.txt", as_text(messages_section(record.messages)[_HEADING:]).encode()
            yield f"calls/{name}.pcap", write_pcap(record)


def _rows(calls: Iterable[BlockedCall]) -> Iterator[list[str | int | float | None]]:
    for one in calls:
        yield [each.of(one) for each in CALL_FACTS]


def _ladders(calls: Iterable[BlockedCall]) -> Iterator[Line]:
    for number, one in enumerate(calls, start=1):
        yield from _title(number, one)
        yield from ladder_section(one.call.record.messages, width=None)[_HEADING:] or [line(f"  {_NO_MESSAGES}")]
        yield BLANK


_NO_MESSAGES: Final = "The messages of this call are not held."


def _title(number: int, one: BlockedCall) -> list[Line]:
    request, started = one.call.record.request, moment(one.call.record.started_at)
    return fact(f"{number}.", f"{request.caller} to {request.callee}, {started}", width=None, tone=Tone.STRONG)


def _drawn(dossier: Dossier) -> Standing | None:
    """Give the standing that the chart marks: on the network of the case, or as a whole if there are several."""
    networks = dossier.case.networks
    network = networks[0] if len(networks) == 1 else None
    return next((one for one in dossier.standings if one.network == network), None)


def _facts(dossier: Dossier) -> Iterator[Line]:
    """Write the sheet: the case, its contacts, how the number stands, then every call that is told in full."""
    case = dossier.case
    yield line(Span("Facts of blocked calls", Tone.STRONG))
    yield from _head(dossier)
    yield from heading(f"Contacts ({_CHECK_FIRST})")
    contacts = case_contacts(case)
    for name, value, flaw in contacts:
        yield from fact(name, f"{value}  [{flaw}]" if flaw else value, width=None)
    if not contacts:
        yield line("  The notice names no contact.")
    yield from heading("How the number stands, all blockers together")
    for one in _standings(dossier):
        yield from fact(plain(one.network or "as a whole"), _standing(one), width=None)
    yield from heading(_calls_title(dossier))
    for number, call in enumerate(dossier.shown, start=1):
        yield BLANK
        yield from _title(number, call)
        yield from _call(call)


def _head(dossier: Dossier) -> Iterator[Line]:
    case = dossier.case
    facts = {
        "caller": case.caller,
        "blocker": case.blocker,
        "blocked": count(case.count, "call"),
        "first block": moment(case.first_seen),
        "last block": moment(case.last_seen),
        "networks": ", ".join(case.networks) or _NOT_KNOWN,
        "asked": case.asked_at and f"{moment(case.asked_at)} (47 CFR 64.1200(k)(8): a status within 24 hours)",
        "answered": case.answered_at and moment(case.answered_at),
        "cleared": case.cleared_at and moment(case.cleared_at),
        "back again": case.back_at and moment(case.back_at),
        "written": moment(dossier.made_at),
    }
    for name, value in facts.items():
        if value:
            yield from fact(name, value, width=None)


def _standings(dossier: Dossier) -> list[Standing]:
    """Give the standing as a whole, and on the networks that this blocker refused on."""
    return [one for one in dossier.standings if one.network is None or one.network in dossier.case.networks]


def _standing(one: Standing) -> str:
    words = f"{one.standing} since {moment(one.since)}"
    if not one.judged:
        return words
    share = f"{percent(one.blocked_share)}, 95 % interval {interval(one)}"
    return f"{words}; {blocked_of(one)} judged calls blocked ({share})"


def _calls_title(dossier: Dossier) -> str:
    shown, listed, known = len(dossier.shown), len(dossier.calls), dossier.case.count
    if shown == known:
        return "The calls, newest first"
    return (
        f"The newest {shown} of {known:,} blocked calls: of these the messages, captures and ladders are here; "
        f"facts.csv lists {listed:,}"
    )


def _call(one: BlockedCall) -> Iterator[Line]:
    for each in CALL_FACTS:
        value = each.of(one)
        if value is None and each.asked_by:
            value = each.missing
        if value is not None:
            yield from fact(each.label, str(value), width=None)


def _readme(dossier: Dossier) -> Iterator[Line]:
    yield line(plain(f"{dossier.case.caller}, blocked by {dossier.case.blocker}: what its redress desk asks for"))
    yield BLANK
    for name, words in _FILES:
        yield line(f"  {name:<{_FILE_WIDTH}}{words}")
    yield BLANK
    yield from map(line, _ADVICE)
    yield BLANK
    command = f"probe redress {quote(dossier.case.caller)} --blocker {quote(dossier.case.blocker)}"
    yield line(plain(f"When you have asked, note it: {command} --asked; later --answered and --cleared."))


_FILE_WIDTH: Final = 22
_FILES: Final = (
    ("letter.md", "the request; fill in what stands in [brackets], sign it, send it"),
    ("facts.txt", "the facts sheet: the case, its contacts, the number's standing, each call in full"),
    ("facts.csv", "the same calls as a table for spreadsheets, one line each"),
    ("chart.svg", "all calls from the number over time, blocked or not"),
    ("ladder.txt", "who said what, and when, in each call"),
    ("messages/ID.sip.txt", "the messages of a call as text; what is no visible character is written as an escape"),
    ("calls/ID.pcap", "the same messages to the byte, for Wireshark, tshark or sngrep"),
)
_ADVICE: Final = (
    "The newest 50 calls are told in full; of an older call, or of one whose messages are no longer kept, facts.csv",
    "lists what is known. Passwords and the like were cut from the messages before they were kept.",
    "",
    "The folder holds telephone numbers of people and addresses of your network: the files can be read by you alone.",
    "Look through them before you send them, and send no more than the desk asks for.",
    "",
    "The contacts came with the refusals, and nothing was opened, called or mailed. Find out whom a contact belongs to",
    "before you use it: ask the carrier, not the message.",
)
