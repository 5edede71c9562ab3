"""What other programs wrote of the calls they placed in, those calls out: JSON Lines, CSV, or a capture."""

from probe.importing.capture import read_capture
from probe.importing.columns import read_cells
from probe.importing.facts import Reported, Source, record_of
from probe.importing.remark import Bad, Ignored, Unreadable
from probe.importing.rows import read_rows

__all__ = [
    "Bad",
    "Ignored",
    "Reported",
    "Source",
    "Unreadable",
    "read_capture",
    "read_cells",
    "read_rows",
    "record_of",
]
