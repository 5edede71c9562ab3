"""`probe explain`: one final response, or only its code, in; what it means out. No network."""

import argparse
import sys
from pathlib import Path

from probe.cli.main import FINE
from probe.cli.outside import page_width, print_json, print_lines
from probe.errors import ScenarioError
from probe.report.explain import explain
from probe.sip import Response, read_response
from probe.sip.phrases import PHRASES
from probe.verdict import Heard, judge

_FIRST_FINAL = 200
_LARGEST = 1 << 20


def run(arguments: argparse.Namespace) -> int:
    """Explain one response."""
    response = read_response(_message(arguments.what))
    _require_final(response, arguments.what)
    verdict = judge(
        Heard(
            response=response,
            alerting_ms=arguments.alerting_ms,
            early_media_ms=arguments.early_media_ms,
            final_ms=arguments.final_ms,
        )
    )
    if arguments.json:
        from probe.documents import explain_document  # noqa: PLC0415 - pydantic is heavy, and only JSON needs it

        print_json(explain_document(response, verdict.notice, verdict).plain())
    else:
        print_lines(explain(response, verdict.notice, verdict, width=page_width()))
    return FINE


def _message(what: str) -> bytes:
    if what == "-":
        return sys.stdin.buffer.read(_LARGEST)
    if what.isascii() and what.isdecimal() and len(what) == len("603"):
        return f"SIP/2.0 {what} {PHRASES.get(int(what), '')}\r\n\r\n".encode()
    try:
        with Path(what).open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise ScenarioError(
            f"{what} cannot be read ({error.strerror}); give a file, - or a code such as 603."
        ) from error


def _require_final(response: Response, what: str) -> None:
    source = "stdin" if what == "-" else what
    if response.status is None:
        raise ScenarioError(f"{source} holds no SIP response; its first line must be such as SIP/2.0 603 Decline.")
    if response.status < _FIRST_FINAL:
        raise ScenarioError(f"{source}: {response.status} is a provisional response; a final one follows it.")
