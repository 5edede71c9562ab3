"""Lines in, a coloured terminal out. The only file that imports rich: load it where stdout is a terminal."""

from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from probe.report.lines import Line, Tone

_STYLES: Final = {
    Tone.NORMAL: "",
    Tone.STRONG: "bold",
    Tone.QUIET: "dim",
    Tone.GOOD: "green",
    Tone.DOUBT: "yellow",
    Tone.BAD: "bold red",
}


def paint(lines: Iterable[Line], out: TextIO) -> None:
    """Write lines to a terminal in colour, as far as the terminal and NO_COLOR allow."""
    console = Console(file=out, highlight=False, markup=False, emoji=False)
    for spans in lines:
        text = Text.assemble(*((span.text, _STYLES[span.tone]) for span in spans))
        text.rstrip()
        console.print(text, soft_wrap=True)
