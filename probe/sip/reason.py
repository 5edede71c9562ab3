"""Values of Reason header fields in, `Reason`s out, however broken (RFC 3326; its grammar is that of RFC 3261 s25)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# Possessive quantifiers (*+) keep every pattern linear: a far end may send 64 KB of backslashes.
_PROTOCOL = re.compile(r"[^;,]*+")
_NAME = re.compile(r';[ \t]*+([^;,="]*+)(=?)[ \t]*+')
_QUOTED = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
# A comma in unquoted text ends the value only where a protocol follows it.
_UNQUOTED = re.compile(r'(?:[^;,]++|,(?![ \t]*+[^\s;,="]++[ \t]*+(?:[;,]|$)))*+')
# 0x93 and 0x94 are the typographic quotes of Windows-1252, read as Latin-1.
_TYPOGRAPHIC = "“”„‟″«»\x93\x94"
_TYPOGRAPHIC_QUOTED = re.compile(rf'[{_TYPOGRAPHIC}]([^{_TYPOGRAPHIC}"]*+)[{_TYPOGRAPHIC}"]')
_APOSTROPHES = re.compile(r"'([^']*+)'")
_STRAY = re.compile(r"[^;,]*+")
_CAUSE = re.compile(r"[0-9]{1,5}")
_TO_ESCAPE = re.compile(r'[\\"]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One Reason value. `cause` is None where none can be read; `params` are the other parameters, names in lower case.

    `flaws` says what was wrong with the value; of a repeated parameter the first stands.
    """

    protocol: str
    cause: int | None = None
    text: str | None = None
    location: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    flaws: tuple[str, ...] = ()


def read_reasons(values: Iterable[str]) -> tuple[Reason, ...]:
    """Read every Reason of these header values, comma-joined ones too, in the order received. Never raises."""
    return tuple([reason for value in values for reason in _split(value)])


def written(reason: Reason) -> str:
    """Write a Reason as a header value that reads the same again; its flaws are not written."""
    cause = [] if reason.cause is None else [f"cause={reason.cause}"]
    named = [("text", reason.text), ("location", reason.location), *reason.params]
    params = [f"{name}={_in_quotes(value)}" for name, value in named if value is not None]
    return ";".join([reason.protocol, *cause, *params]) or ";"  # a value of nothing at all was there all the same


def _in_quotes(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", text) + '"'


def _split(value: str) -> Iterator[Reason]:
    at = 0
    while at < len(value):
        reason, end = _read_one(value, at)
        if not value[at:end].isspace() and end > at:  # RFC 3261 s7.3: an empty element of a list is nothing
            yield reason
        at = end + 1  # over the comma


def _read_one(value: str, at: int) -> tuple[Reason, int]:
    """Read one Reason value that begins at `at`; give it and the place of the comma after it, or of the end."""
    protocol = _PROTOCOL.match(value, at)
    assert protocol  # the pattern matches the empty text
    at = protocol.end()
    params: dict[str, str] = {}
    flaws: list[str] = []
    while at < len(value) and value[at] == ";":
        at = _read_param(value, at, params, flaws)
    return _reason(protocol[0].strip(), params, flaws), at


def _read_param(value: str, at: int, params: dict[str, str], flaws: list[str]) -> int:
    """Read the parameter whose semicolon stands at `at` into `params`; give the place of the separator after it."""
    head = _NAME.match(value, at)
    assert head  # a semicolon stands at `at`, the rest may be empty
    name, at = head[1].strip().lower(), head.end()
    content, at, flaw = _read_content(value, at) if head[2] else ("", at, "")
    if at < len(value) and value[at] not in ";,":
        at = _over_stray_text(value, at, flaws)
    if flaw and (flaw != "text_not_quoted" or name == "text"):
        flaws.append(flaw)
    if name in params:
        flaws.append(f"duplicate_param:{printable(name)}")
    elif name:
        params[name] = content
    return at


def _over_stray_text(value: str, at: int, flaws: list[str]) -> int:
    """Go on to the next separator; blanks before it are harmless."""
    stray = _STRAY.match(value, at)
    assert stray  # the pattern matches the empty text
    if stray[0].strip():
        flaws.append("stray_text")
    return stray.end()


def _read_content(value: str, at: int) -> tuple[str, int, str]:
    """Read a parameter's content; give it, the place after it and the flaw of its quotes."""
    opening = value[at : at + 1]
    if opening == '"':
        return _quoted(value, at)
    if opening and opening in _TYPOGRAPHIC:
        closed = _TYPOGRAPHIC_QUOTED.match(value, at)
        if closed:
            return closed[1], closed.end(), "smart_quotes"
        return value[at + 1 :], len(value), "unterminated_quote"
    apostrophes = _APOSTROPHES.match(value, at) if opening == "'" else None
    if apostrophes:
        return apostrophes[1], apostrophes.end(), "text_not_quoted"
    bare = _UNQUOTED.match(value, at)
    assert bare  # the pattern matches the empty text
    return bare[0].strip(), bare.end(), "text_not_quoted"


def _quoted(value: str, at: int) -> tuple[str, int, str]:
    closed = _QUOTED.match(value, at)
    content = closed[1] if closed else value[at + 1 :]
    if "\\" in content:
        content = QUOTED_PAIR.sub(r"\1", content)
    return (content, closed.end(), "") if closed else (content, len(value), "unterminated_quote")


def _reason(protocol: str, params: dict[str, str], flaws: list[str]) -> Reason:
    cause = params.pop("cause", None)
    number = int(cause) if cause and _CAUSE.fullmatch(cause) else None
    if cause is not None and number is None:
        flaws.append("bad_cause")
    return Reason(
        protocol=protocol,
        cause=number,
        text=params.pop("text", None),
        location=params.pop("location", None),
        params=tuple(params.items()),
        flaws=tuple(flaws),
    )


def printable(name: str) -> str:
    """Cut a name from the wire to what may stand in a flaw: 32 visible ASCII characters, others as `?`."""
    return "".join([c if "!" <= c <= "~" else "?" for c in name[:32]])
