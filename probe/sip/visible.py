"""Text off the wire in, text that may be shown out: no control characters, no tricks of direction."""

import re

# C0 and C1 controls but the tab, separators of lines, and marks that hide or turn the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]{0,32}[ -/]?[@-~]")


def has_control(text: str) -> bool:
    """Say whether a text holds characters that nobody sees, but a terminal, a browser or a reader obeys."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def visible(text: str) -> str:
    """Take out what must not reach a screen; what is left is printable. Other blanks become plain ones."""
    if text.isprintable():
        return text
    plain = _TERMINAL_SEQUENCE.sub("", text)
    return "".join([c if c.isprintable() else " " if c.isspace() else "" for c in plain])
