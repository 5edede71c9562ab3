"""Notices in, call by call; the book of redress out: what each blocker did to each number, and what was asked of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from probe.health.observation import Contacts, Observation
from probe.health.sequential import State
from probe.health.standing import Standing
from probe.phone import normalise
from probe.verdict import Disposition

UNNAMED: Final = "unnamed"
_LONGEST_NAME: Final = 253
_VISIBLE: Final = "!$%&'()*+,;=:@[]._~-"  # with letters and digits, what of ASCII may stand in a host (RFC 3986)
# What browsers go over before a host: `https://`, `https:/`, `//`, backslashes for slashes.
_BEFORE_HOST: Final = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:(?=[/\\]))?([/\\]*)", re.IGNORECASE)
_AFTER_HOST: Final = re.compile(r"[/\\?#]")


class Step(StrEnum):
    """What a person notes in the book."""

    ASKED = "asked"
    ANSWERED = "answered"
    CLEARED = "cleared"


class Stage(StrEnum):
    """How far a case has come."""

    OPEN = "open"  # nobody asked yet
    ASKED = "asked"
    ANSWERED = "answered"
    CLEARED = "cleared"
    BACK = "back"  # blocked again after it was cleared


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one blocker did to one caller ID, and how far redress has come. Contacts as the last notice gave them.

    `blocker` is how the notices tell blockers apart (`blocker_of`). `back_at` is the first block after it was cleared.
    """

    caller: str
    blocker: str
    first_seen: datetime
    last_seen: datetime
    count: int
    contacts: Contacts
    networks: tuple[str, ...] = ()
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    cleared_at: datetime | None = None
    back_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        for at, stage in (
            (self.back_at, Stage.BACK),
            (self.cleared_at, Stage.CLEARED),
            (self.answered_at, Stage.ANSWERED),
            (self.asked_at, Stage.ASKED),
        ):
            if at is not None:
                return stage
        return Stage.OPEN


def blocker_of(contacts: Contacts) -> str:
    """Say by what name this blocker goes: visible ASCII, at most 253 characters, for the text is the network's.

    It is the host of the URL, without user and port, else the telephone number, else the domain of the mail address,
    else the host of a 608's card, else `unnamed`.
    """
    domain = (contacts.email or "").rpartition("@")[2].strip().lower()
    found = _host(contacts.url) or _number(contacts.tel) or domain or _host(contacts.call_info)
    return quote(found, safe=_VISIBLE, errors="backslashreplace")[:_LONGEST_NAME] or UNNAMED


def _host(url: str | None) -> str:
    """Find the host of a URL, however broken; one that has no slashes before its host needs a dot in it."""
    before = _BEFORE_HOST.match(url or "")
    assert before  # the pattern matches the empty text
    authority = _AFTER_HOST.split((url or "")[before.end() :], maxsplit=1)[0]
    address = authority.rpartition("@")[2].strip()
    # An IPv6 address holds colons itself.
    host = address.partition("]")[0] + "]" if address.startswith("[") else address.partition(":")[0].rstrip(".")
    return host.lower() if before[1] or "." in host else ""


def _number(tel: str | None) -> str:
    text = re.sub(r"\A\s*tel:", "", tel or "", flags=re.IGNORECASE).strip()
    return normalise(text) or text


def opens_case(call: Observation) -> bool:
    """Say whether a desk can be asked about this call: a notice came, and not because the called party wants no calls.

    That is to be honoured (RFC 8197), and no desk can lift it.
    """
    return call.contacts is not None and call.disposition is not Disposition.SUBSCRIBER_BLOCKED


def seen(case: Case | None, call: Observation) -> Case | None:
    """Add a call to its case, which it may open; a call that no desk can be asked about leaves it as it was.

    Calls may come in any order.
    """
    contacts = call.contacts
    if contacts is None or not opens_case(call):
        return case
    at, networks = call.started_at, (call.network,) if call.network else ()
    if case is None:
        return Case(
            caller=call.caller,
            blocker=blocker_of(contacts),
            first_seen=at,
            last_seen=at,
            count=1,
            contacts=contacts,
            networks=networks,
        )
    return replace(
        case,
        first_seen=min(case.first_seen, at),
        last_seen=max(case.last_seen, at),
        count=case.count + 1,
        contacts=contacts if at >= case.last_seen else case.contacts,
        networks=tuple(sorted({*case.networks, *networks})),
        back_at=_back_at(case, at),
    )


def _back_at(case: Case, at: datetime) -> datetime | None:
    if case.cleared_at is None or at <= case.cleared_at:
        return case.back_at
    return min(case.back_at or at, at)


def book(calls: Iterable[Observation], kept: Iterable[Case]) -> tuple[Case, ...]:
    """Make the cases of a caller ID again from all its calls; what a person noted in those that were kept stays."""
    before = {case.blocker: case for case in kept}
    theirs: dict[str, list[Observation]] = {}
    for call in calls:
        if call.contacts is not None and opens_case(call):
            theirs.setdefault(blocker_of(call.contacts), []).append(call)
    made = [_made_again(found, before.pop(blocker, None)) for blocker, found in theirs.items()]
    return (*made, *(case for case in before.values() if case.stage is not Stage.OPEN))


def _made_again(calls: list[Observation], kept: Case | None) -> Case:
    case: Case | None = None
    for call in calls:
        case = seen(case, call)
    assert case is not None  # every call here opens a case
    if kept is None:
        return case
    cleared = kept.cleared_at
    back = min((call.started_at for call in calls if cleared and call.started_at > cleared), default=None)
    return replace(case, asked_at=kept.asked_at, answered_at=kept.answered_at, cleared_at=cleared, back_at=back)


def noted(case: Case, step: Step, now: datetime) -> Case:
    """Note what a person did. To ask anew opens a case that was cleared, and so does an answer to one that is back."""
    if step is Step.ASKED:
        return replace(case, asked_at=now, answered_at=None, cleared_at=None, back_at=None)
    if step is Step.CLEARED:
        return replace(case, cleared_at=now, back_at=None)
    if case.stage is Stage.BACK:
        return replace(case, answered_at=now, cleared_at=None, back_at=None)
    return replace(case, answered_at=now)


def may_close(case: Case, standings: Iterable[Standing]) -> bool:
    """Say whether calls get through again wherever this blocker refused them: a proposal, for a person to follow.

    Every network of the case (all together, where none is known) has to stand clean, by calls after the last block.
    """
    networks = set(case.networks or (None,))
    clean = {
        one.network
        for one in standings
        if one.caller == case.caller and one.standing is State.CLEAN and one.last_call_at > case.last_seen
    }
    return case.stage is not Stage.CLEARED and networks <= clean
