"""The bytes of a SIP response in, a `Response` out, whatever the bytes are (RFC 3261 s7.2)."""

import re
from dataclasses import dataclass

from probe.sip.head import BLANKS, find_header, find_headers, read_head
from probe.sip.reason import Reason, read_reasons

_STATUS_LINE = re.compile(r"SIP/[0-9]{1,3}\.[0-9]{1,3}[ \t]++([0-9]++)(?![^ \t])(.*+)", re.IGNORECASE | re.DOTALL)
_STATUS_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response as it was read. `status` is None where no status line could be read; `flaws` says why.

    Texts are as received, control characters included: strip them before they reach a screen.
    """

    status: int | None
    phrase: str
    reasons: tuple[Reason, ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    flaws: tuple[str, ...]

    def header(self, name: str) -> str | None:
        """Give the first value of a header field, or None."""
        return find_header(self.headers, name)

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value of a header field, in the order received."""
        return find_headers(self.headers, name)


def read_response(raw: bytes) -> Response:
    """Read a response off the wire. Never raises; takes time linear in the size of `raw`."""
    head = read_head(raw)
    status, phrase, flaw = _read_status_line(head.start)
    return Response(
        status=status,
        phrase=phrase,
        reasons=read_reasons(find_headers(head.headers, "reason")),
        headers=head.headers,
        body=head.body,
        flaws=(flaw, *head.flaws) if flaw else head.flaws,
    )


def _read_status_line(start: str) -> tuple[int | None, str, str]:
    line = _STATUS_LINE.match(start)
    if line is None:
        return None, "", "no_status_line"
    phrase = line[2].strip(BLANKS)
    if len(line[1]) != _STATUS_DIGITS:  # RFC 4475 s3.1.2.19: 4294967301 must not be taken modulo 2^32
        return None, phrase, "bad_status_code"
    return int(line[1]), phrase, ""
