"""The text of a CSV file of callers in; the callers, or what is wrong with them, each with its line, out."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from probe.scenario import notation
from probe.scenario.notation import shown
from probe.scenario.scenario import Caller
from probe.scenario.yaml_text import Mistake, Path

_COLUMNS = ("number", "label", "campaign", "lead_source", "tags")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCaller:
    """A caller and where it stands; `file` is None for the scenario file itself."""

    caller: Caller
    line: int
    path: Path
    file: str | None = None

    @property
    def place(self) -> str:
        return f"on line {self.line}" + (f" of {self.file}" if self.file else "")

    def mistake(self, sentence: str) -> Mistake:
        return Mistake(self.line, self.path, sentence, self.file)


def read_callers(text: str, source: str) -> Iterator[FoundCaller | Mistake]:
    """Read the columns number, label, campaign, lead_source and tags (`east;day`); the first line names those given."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in next(rows, [])]
        if mistake := _wrong_columns(columns, source):
            yield mistake
            return
        for row in rows:
            if any(cell.strip() for cell in row):
                yield _caller(row, columns, rows.line_num, source)
    except csv.Error as error:
        yield Mistake(max(rows.line_num, 1), (), f"this is not CSV ({error}); look at its quotes.", source)


def _wrong_columns(columns: list[str], source: str) -> Mistake | None:
    unknown = next((name for name in columns if name not in _COLUMNS), None)
    if unknown is not None:
        return Mistake(1, (), f"{shown(unknown)} is not a known column; {notation.nearest(unknown, _COLUMNS)}", source)
    if "number" not in columns or len(set(columns)) < len(columns):
        return Mistake(1, (), "the first line has to name each column once: number,label,campaign.", source)
    return None


def _caller(row: list[str], columns: list[str], line: int, source: str) -> FoundCaller | Mistake:
    if len(row) != len(columns):
        return Mistake(
            line, (), f"the row has {len(row)} cells, not {len(columns)}; quote a text with a comma.", source
        )
    cells = dict(zip(columns, (cell.strip() for cell in row), strict=True))
    for column, cell in cells.items():
        if not cell.isprintable():
            return Mistake(line, (column,), "holds a line break or a control character; take it out.", source)
    try:
        number = notation.read_number(cells["number"])
    except ValueError as error:
        return Mistake(line, ("number",), f"{shown(cells['number'])} {error}", source)
    named = {name: cells.get(name) or None for name in ("label", "campaign", "lead_source")}
    tags = dict.fromkeys(tag.strip() for tag in cells.get("tags", "").split(";") if tag.strip())
    caller = Caller(number=number, tags=tuple(tags), **named)
    return FoundCaller(caller=caller, line=line, path=("number",), file=source)
