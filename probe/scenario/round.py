"""What a round is: planned for a moment, open for a while, and over in one of a few ways."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class RoundState(StrEnum):
    """How a round stands."""

    OPEN = "open"
    DONE = "done"
    MISSED = "missed"  # the daemon was down when it was planned for
    SKIPPED = "skipped"  # the round before it was still open
    STOPPED = "stopped"  # our own shutdown, or a process that died


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRound:
    """A round under way. `starts_at` is the moment it was planned for; from `ends_at` on nothing of it is dialled."""

    id: str
    scenario: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """What became of a round. `planned_at` and `ends_at` are None for one that nobody scheduled (`probe check`)."""

    id: str
    scenario: str
    state: RoundState
    started_at: datetime
    planned: int
    planned_at: datetime | None = None
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    counts: Mapping[str, Any] | None = None
    why: str | None = None
