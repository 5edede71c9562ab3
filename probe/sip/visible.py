"""Text off the wire in, text that may be shown out: no control characters, no tricks of direction."""

import re

# C0 and C1 controls but the tab, line and paragraph separators, marks that turn the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]{0,32}[ -/]?[@-~]")


def has_control(text: str) -> bool:
    """Say whether a text holds characters that nobody can see but a terminal or a browser obeys."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def visible(text: str) -> str:
    """Take out what must not reach a screen."""
    return text if text.isprintable() else _CONTROL.sub("", _TERMINAL_SEQUENCE.sub("", text))
