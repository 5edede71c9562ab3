"""The bytes of a SIP response in, a `Response` out, whatever the bytes are (RFC 3261 s7.2)."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from probe.sip.head import BLANKS, READ_ONCE, read_head
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
    # The values of each header field by its name in lower case: many rules ask for many names.
    named: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    def header(self, name: str) -> str | None:
        """Give the first value of a header field, or None."""
        values = self.named.get(name.lower())
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value of a header field, in the order received."""
        return tuple(self.named.get(name.lower(), ()))


@lru_cache(maxsize=READ_ONCE)
def read_response(raw: bytes) -> Response:
    """Read a response off the wire. Never raises; takes time linear in the size of `raw`."""
    head = read_head(raw)
    status, phrase, flaw = _read_status_line(head.start)
    named = _by_name(head.headers)
    return Response(
        status=status,
        phrase=phrase,
        reasons=read_reasons(tuple(named.get("reason", ()))),
        headers=head.headers,
        body=head.body,
        flaws=(flaw, *head.flaws) if flaw else head.flaws,
        named=named,
    )


def response_of(
    status: int | None, phrase: str, headers: tuple[tuple[str, str], ...], flaws: tuple[str, ...] = ()
) -> Response:
    """Make a response of parts that were read before, or that another program has read."""
    named = _by_name(headers)
    reasons = read_reasons(tuple(named.get("reason", ())))
    return Response(status=status, phrase=phrase, reasons=reasons, headers=headers, body=b"", flaws=flaws, named=named)


def _by_name(headers: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """Sort the values by name, without regard to case (RFC 3261 s7.3.1)."""
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    return named


def _read_status_line(start: str) -> tuple[int | None, str, str]:
    line = _STATUS_LINE.match(start)
    if line is None:
        return None, "", "no_status_line"
    phrase = line[2].strip(BLANKS)
    if len(line[1]) != _STATUS_DIGITS:  # RFC 4475 s3.1.2.19: 4294967301 must not be taken modulo 2^32
        return None, phrase, "bad_status_code"
    return int(line[1]), phrase, ""
