"""Names, attributes and texts in, HTML out: the one place where text is made plain, cut and escaped.

Markup is a value of its own (`Html`), never a `str`; so whatever is text gets escaped, and text cannot become markup by
being joined to it. There is no way here to write a link that leaves the page, a style or a handler on an element.
"""

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Final

from probe.report.text import clip, plain

# A phrase or a contact off the wire can be as long as a packet; a sentence of ours that quotes one, longer.
_LONGEST_SAID: Final = 160
_LONGEST: Final = 600
_VOID: Final = frozenset({"meta", "input", "br", "link"})
_OUTSIDE: Final = "has no place on a page that nothing leaves"
_FORBIDDEN: Final = ("on", "src", "style", "action", "formaction", "xlink", "ping", "poster", "srcdoc")


class Html:
    """Markup that is whole and safe."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """Take markup as it is. For this room's own constants and for markup made of escaped pieces, only."""
        self.text = text


Child = Html | str | int | None | Iterable["Child"]
Attribute = str | int | bool | None

NOTHING: Final = Html("")


def element(tag: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Make an element. Of attribute names, a trailing `_` is dropped and any other becomes `-`; True stands alone."""
    opened = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(opened if tag in _VOID else f"{opened}{_inside(children)}</{tag}>")


def joined(*children: Child) -> Html:
    """Put children one after the other."""
    return Html(_inside(children))


def said(text: str | None, longest: int = _LONGEST_SAID) -> Html:
    """Write text that others chose: kept short, and so that its direction of writing turns nothing round but itself."""
    return element("bdi", _fit(text or "", longest))


def _fit(text: str, longest: int) -> str:
    """Make a text fit to be read: one line of visible characters, and not too long."""
    return clip(plain(text[: longest + 1]), longest)


def _inside(children: Iterable[Child]) -> str:
    return "".join(map(_child, children))


def _child(child: Child) -> str:
    if isinstance(child, Html):
        return child.text
    if isinstance(child, str):
        return escape(_fit(child, _LONGEST), quote=False)
    if child is None:
        return ""
    return str(child) if isinstance(child, int) else _inside(child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    written = _written(name)
    if value is True:
        return f" {written}"
    text = str(value)
    if written == "href" and not text.startswith("#"):
        raise ValueError(f"{text!r} {_OUTSIDE}")
    return f' {written}="{escape(_fit(text, _LONGEST))}"'


@cache
def _written(name: str) -> str:
    written = name.removesuffix("_").replace("_", "-")
    if written.startswith(_FORBIDDEN):
        raise ValueError(f"the attribute {written} {_OUTSIDE}")
    return written
