"""A SIP message in; the same out without what would open anything: digest credentials, keys of media, secret headers.

What stands in the place of a media key is as long as it was, so that Content-Length stays true.
"""

import re
from collections.abc import Sequence

# RFC 3261 s7.3.1 and s25.1: names in any case, blanks before the colon, values folded over lines; neither header has
# a compact form. Line ends are read as leniently as a far end may write them.
_HEADER = rb"""
    ( (?: \A | (?<=[\r\n]) ) (?: %s ) )
    (?: [ \t] | (?: \r\n | \r | \n ) [ \t] )* :
    (?: [^\r\n] | (?: \r\n | \r | \n ) [ \t] )*
    """
_CREDENTIALS = re.compile(_HEADER % b"proxy-authorization | authorization", re.IGNORECASE | re.VERBOSE)
# RFC 4568 s9.1 (a=crypto, SDES) and RFC 4566 s5.12 (k=, its older form): whoever has it reads the call's media.
_KEY_LINE = re.compile(rb"(?:\A|(?<=[\r\n]))(?:a[ \t]*=[ \t]*crypto[ \t]*:|k[ \t]*=)[^\r\n]*", re.IGNORECASE)
_KEY = re.compile(rb"(?<=:)[^\s:|;]{8,}")


def without_secrets(raw: bytes, named: Sequence[str] = ()) -> bytes:
    """Cut the values of Authorization, Proxy-Authorization and the headers `named`, and put * for keys of media."""
    lower = raw.lower()
    if b"authorization" in lower:
        raw = _CREDENTIALS.sub(rb"\1: (cut)", raw)
    if b"crypto" in lower or b"\nk" in lower or b"\rk" in lower:
        raw = _KEY_LINE.sub(_without_key, raw)
    for name in named:
        wanted = re.compile(_HEADER % re.escape(name.encode()), re.IGNORECASE | re.VERBOSE)
        raw = wanted.sub(rb"\1: (cut)", raw)
    return raw


def _without_key(line: re.Match[bytes]) -> bytes:
    return _KEY.sub(lambda key: b"*" * len(key[0]), line[0])
