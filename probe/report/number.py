"""All that is known of one caller ID in, its page on a terminal or in a pipe out."""

from collections.abc import Iterable, Sequence

from probe.health import NoticeSeen
from probe.report.contacts import Contact, contacts_of
from probe.report.lines import BLANK, Line, Span, Tone, line, paragraph
from probe.report.notices import location_words
from probe.report.opinion import fact, heading
from probe.report.profile import Profile
from probe.report.signals import sentence
from probe.report.standing_words import count, evidence, moment, redress_words, where_and_since
from probe.report.standings import standing_table
from probe.report.text import plain


def number(profile: Profile, *, width: int | None) -> tuple[Line, ...]:
    """Draw how a caller ID stands, who blocks it, what ties its blocks together, what to do. `width` None is a pipe."""
    one = profile.standing
    title = where_and_since(one)
    return (
        *paragraph(plain(f"{title[0].upper()}{title[1:]}. {evidence(one.whole)}"), width=width, tone=Tone.STRONG),
        BLANK,
        *standing_table([profile], width=width),
        *_listed("What to do next", profile.steps, width),
        *_listed("What ties its blocks together", map(sentence, profile.signals), width),
        *_notices(one.whole.notices, width),
        *_listed("Redress", (f"{case.blocker}: {redress_words(case)}" for case in profile.cases), width),
    )


def _listed(title: str, sentences: Iterable[str], width: int | None) -> list[Line]:
    rows = [row for text in sentences for row in paragraph(plain(text), width=width, first="  - ")]
    return [*heading(title), *rows] if rows else []


def _notices(notices: Sequence[NoticeSeen], width: int | None) -> list[Line]:
    newest = sorted(notices, key=lambda seen: seen.last_seen, reverse=True)
    rows = [row for seen in newest for row in _notice(seen, width)]
    return [*heading("Who says so (its own words; check a contact before you use it)"), *rows] if rows else []


def _notice(seen: NoticeSeen, width: int | None) -> list[Line]:
    where = f", {location_words(seen.location)}" if seen.location else ""
    times = f"{count(seen.count, 'call')}, first {moment(seen.first_seen)}, last {moment(seen.last_seen)}"
    contacts = [row for one in contacts_of(seen) for row in _contact(one, width)]
    nothing = line("    ", Span("It names no contact.", Tone.QUIET))
    return [*paragraph(plain(times + where), width=width, first="  "), *(contacts or [nothing])]


def _contact(one: Contact, width: int | None) -> list[Line]:
    rows = fact(f"  {one.name}", one.value, width=width)
    if one.flaw:
        rows[-1] = (*rows[-1], Span(f"  {one.flaw}", Tone.BAD))
    return rows
