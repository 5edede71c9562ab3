"""The bytes of a SIP request in, a `Request` out, or None where they are no request (RFC 3261 s7.1)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from probe.sip.head import READ_ONCE, find_header, find_headers, read_head
from probe.sip.reason import Reason, read_reasons

_REQUEST_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~-]++)[ \t]++(\S++)[ \t]++SIP/[0-9.]++", re.IGNORECASE)
# No method begins like this: a response is known without reading it.
_RESPONSE = re.compile(rb"[\r\n]*+SIP/", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it was read."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Give the first value of a header field, or None."""
        return find_header(self.headers, name)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return read_reasons(find_headers(self.headers, "reason"))


@lru_cache(maxsize=READ_ONCE)
def read_request(raw: bytes) -> Request | None:
    """Read a request; anything that has no request line gives None. Never raises."""
    if _RESPONSE.match(raw):
        return None
    head = read_head(raw)
    line = _REQUEST_LINE.match(head.start)
    if line is None:
        return None
    return Request(method=line[1], uri=line[2], headers=head.headers, body=head.body)
