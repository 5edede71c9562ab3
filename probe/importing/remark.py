"""What is to be said about a file that is read: which rows are bad, which columns are left alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A row that cannot be taken: its line, or the packet that begins its call, and what is wrong in one sentence."""

    line: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A column that means nothing here. `near` is one that does, and whose name is much alike."""

    column: str
    near: str | None


class Unreadable(Exception):  # noqa: N818 - a sentence about the file, not an error of the program
    """The file as a whole cannot be read; the message goes on from its name and says what to do."""
