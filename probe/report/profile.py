"""All that is known of one caller ID, gathered for the page and for the terminal."""

from dataclasses import dataclass

from probe.health import Case, Observation, Signal
from probe.report.standing_words import CallerStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One caller ID: how it stands, what ties its blocks together, what to do, how far redress has come.

    `observations` are its latest calls, in the order in which they ended. `label` is what the user calls it.
    """

    standing: CallerStanding
    label: str | None = None
    observations: tuple[Observation, ...] = ()
    signals: tuple[Signal, ...] = ()
    steps: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
