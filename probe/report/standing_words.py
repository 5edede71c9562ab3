"""A standing in, its words out: for a table, for a sentence; the same on a terminal and on the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from probe.health import Case, Standing, State
from probe.health.redress import Stage
from probe.report.lines import Tone

WORST_FIRST: Final = (State.BLOCKED, State.SUSPECT, State.RECOVERING, State.CLEAN, State.UNKNOWN)
IN_TROUBLE: Final = frozenset({State.BLOCKED, State.SUSPECT, State.RECOVERING})

STANDING_TONE: Final = {
    State.CLEAN: Tone.GOOD,
    State.RECOVERING: Tone.DOUBT,
    State.SUSPECT: Tone.DOUBT,
    State.BLOCKED: Tone.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerStanding:
    """How one caller ID stands: as a whole, and on each network that it was tested on."""

    whole: Standing
    networks: Mapping[str, Standing]

    @property
    def caller(self) -> str:
        return self.whole.caller

    @property
    def troubled(self) -> tuple[Standing, ...]:
        """Its networks in trouble, the worst first; the whole, where no network by itself is."""
        found = [one for one in self.networks.values() if one.standing in IN_TROUBLE]
        return tuple(sorted(found, key=badness)) or (self.whole,)


def by_caller(standings: Iterable[Standing]) -> tuple[CallerStanding, ...]:
    """Group standings by caller ID, the worst first."""
    wholes: dict[str, Standing] = {}
    networks: dict[str, dict[str, Standing]] = {}
    for one in standings:
        if one.network is None:
            wholes[one.caller] = one
        else:
            networks.setdefault(one.caller, {})[one.network] = one
    callers = (CallerStanding(whole=one, networks=networks.get(one.caller, {})) for one in wholes.values())
    return tuple(sorted(callers, key=_badness_of_caller))


def badness(one: Standing) -> tuple[int, float, str, str]:
    """Sort by this for the worst first: the standing, then the share of blocks that is sure."""
    sure = one.interval[0] if one.interval else 0.0
    return WORST_FIRST.index(one.standing), -sure, one.caller, one.network or ""


def _badness_of_caller(one: CallerStanding) -> tuple[int, int, tuple[int, float, str, str]]:
    as_bad = sum(network.standing is one.whole.standing for network in one.networks.values())
    return WORST_FIRST.index(one.whole.standing), -as_bad, badness(one.whole)


def percent(share: float | None) -> str:
    """Write a share: `41 %`; what is not nothing, or not all, is never written so."""
    if share is None:
        return "-"
    rounded = round(100 * share)
    if rounded == 0 < share:
        return "<1 %"
    return ">99 %" if share < 1 and rounded == 100 else f"{rounded} %"  # noqa: PLR2004 (all of it)


def interval(one: Standing) -> str:
    """Write the interval of the share: `28-57 %`; a dash where nothing was judged."""
    return f"{one.interval[0] * 100:.0f}-{one.interval[1] * 100:.0f} %" if one.interval else "-"


def blocked_of(one: Standing) -> str:
    """Write the counts: `17 of 41`."""
    return f"{one.blocked:,} of {one.judged:,}"


def minute(at: datetime) -> str:
    """Write a moment for a table, in UTC: `2026-11-20 14:02`."""
    return at.astimezone(UTC).isoformat(" ", "minutes")[:16]


def moment(at: datetime) -> str:
    """Write a moment for a sentence: `20 Nov 2026, 14:02 UTC`."""
    return f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def day(at: datetime) -> str:
    """Write a day for a sentence: `20 Nov 2026`."""
    return f"{at.astimezone(UTC):%-d %b %Y}"


def count(number: int, one: str, more: str | None = None) -> str:
    """Write how many: `1 call`, `1,200 calls`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def listed(words: Iterable[str], most: int = 8) -> str:
    """Write a list: `a, b and c`; of a long one, how many are left out."""
    names = list(words)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1:,} more"]
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def where_and_since(one: CallerStanding) -> str:
    """Say how a caller ID stands, on which networks, and since when."""
    whole = one.whole
    networks = [network for network in one.troubled if network.standing is whole.standing and network.network]
    if not networks or whole.standing not in IN_TROUBLE:
        return f"{whole.standing} since {moment(whole.since)}"
    return f"{whole.standing} on {listed(f'{network.network} since {moment(network.since)}' for network in networks)}"


def evidence(one: Standing) -> str:
    """Say in a sentence how many calls were blocked."""
    if not one.judged:
        return "No call could be judged."
    were = "was" if one.blocked == 1 else "were"
    share = f"{percent(one.blocked_share)} (95 % interval {interval(one)})"
    return f"Of {count(one.judged, 'judged call')} {one.blocked:,} {were} blocked: {share}."


_REDRESS: Final = {
    Stage.OPEN: "not asked for yet",
    Stage.ASKED: "asked for on {asked}, no answer yet",
    Stage.ANSWERED: "asked for on {asked}, answered on {answered}",
    Stage.CLEARED: "cleared on {cleared}",
    Stage.BACK: "cleared on {cleared}, but back again since {back}",
}


def redress_words(case: Case) -> str:
    """Say what one blocker did, and how far redress has come."""
    known = {"asked": case.asked_at, "answered": case.answered_at, "cleared": case.cleared_at, "back": case.back_at}
    days = {name: day(at) if at else "a day not noted" for name, at in known.items()}
    blocks = f"{count(case.count, 'block')}, the last {moment(case.last_seen)}"
    return f"{blocks}; redress {_REDRESS[case.stage].format(**days)}"
