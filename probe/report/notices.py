"""Notices in, who blocks and where to complain out.

A contact is shown as text beside what is wrong with it. It is never a link: what a blocker sends may be forged
(RFC 8688 s6).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from probe.call import CardState
from probe.judged import JudgedCall
from probe.report.lines import BLANK, LABEL_WIDTH, Line, Span, Tone, line, paragraph
from probe.report.text import plain
from probe.report.words import LOCATION_WORDS, NOTICE_WORDS
from probe.verdict import Notice, NoticeCard

_CONTACT_FLAWS: Final = {
    "url": frozenset({"bad_redress_url"}),
    "tel": frozenset({"bad_redress_tel", "premium_redress_tel"}),
    "email": frozenset({"bad_redress_email"}),
    "card": frozenset({"bad_call_info"}),
}
_WARNING: Final = "Contacts are what the network sent. Check them before you use them."


def complaints(calls: Iterable[JudgedCall], *, width: int | None) -> tuple[Line, ...]:
    """List each caller ID with the notices it met, folded over the calls; empty without a notice."""
    folded: dict[tuple[str, str, tuple[str | None, ...]], list[tuple[JudgedCall, Notice]]] = {}
    for call in calls:
        if call.notice:
            notice = call.notice
            contacts = (notice.url, notice.tel, notice.email, notice.location)
            folded.setdefault((call.record.request.caller, notice.kind, contacts), []).append((call, notice))
    if not folded:
        return ()
    found = [row for same in folded.values() for row in (BLANK, *_complaint(same, width))]
    return (line(Span("Who blocks, and where to complain", Tone.STRONG)), line(Span(_WARNING, Tone.QUIET)), *found)


def _complaint(same: Sequence[tuple[JudgedCall, Notice]], width: int | None) -> list[Line]:
    """One caller ID and one notice; its `id` is that of the last call."""
    call, notice = same[-1]
    networks = sorted({met.record.request.network for met, _ in same if met.record.request.network})
    where = f" on {', '.join(networks)}" if networks else ""
    count = "1 call" if len(same) == 1 else f"{len(same)} calls"
    title = f"{call.record.request.caller}{where}, {count}: {notice_words(notice)}"
    return [*paragraph(plain(title), width=width, first="  "), *contact_lines(notice, width=width, indent="    ")]


def notice_words(notice: Notice) -> str:
    """Say in words what a notice tells: kind and place, each with its code."""
    words = f"{notice.kind}, {NOTICE_WORDS[notice.kind]}" if notice.kind in NOTICE_WORDS else notice.kind
    return f"{words}, {location_words(notice.location)}" if notice.location else words


def location_words(location: str) -> str:
    """Name the network that refused: `by the network serving the called party (RLN)`."""
    known = LOCATION_WORDS.get(location.upper())
    return f"by {known} ({location})" if known else f"by location {location}"


def contact_lines(notice: Notice, *, width: int | None, indent: str) -> list[Line]:
    """Write the contacts as text, each with what is wrong with it."""
    contacts = {
        "url": notice.url,
        "tel": notice.tel,
        "email": notice.email,
        "id": notice.id,
        "card": notice.call_info,
    }
    given = {name: value for name, value in contacts.items() if value}
    if not given:
        return [line(indent, Span("It names no contact.", Tone.QUIET))]
    rows = [row for name, value in given.items() for row in _contact(notice, name, value, width, indent)]
    return [*rows, *(_card_lines(notice.card, width, indent) if notice.card else ())]


def _card_lines(card: NoticeCard, width: int | None, indent: str) -> list[Line]:
    """Say whether the card of a 608 can be believed, and what it says if so."""
    known = f"{card.state}: {card.why}" if card.why else card.state
    tone = Tone.BAD if card.state is CardState.REFUSED else Tone.NORMAL
    said = [("name", card.fn or ""), *(("url", one) for one in card.url), *(("tel", one) for one in card.tel)]
    said += [*(("email", one) for one in card.email), *(("address", one) for one in card.adr)]
    rows = paragraph(plain(known), width=width, first=f"{indent}{'':<{LABEL_WIDTH}}", tone=tone)
    for name, value in said:
        rows += paragraph(plain(value), width=width, first=f"{indent}{f'  {name}':<{LABEL_WIDTH}}") if value else []
    if card.flaws:
        wrong = f"look at it twice: {', '.join(card.flaws)}"
        rows += paragraph(wrong, width=width, first=f"{indent}{'':<{LABEL_WIDTH}}", tone=Tone.BAD)
    return rows


def _contact(notice: Notice, name: str, value: str, width: int | None, indent: str) -> list[Line]:
    rows = paragraph(plain(value), width=width, first=f"{indent}{name:<{LABEL_WIDTH}}")
    wrong = sorted(_CONTACT_FLAWS.get(name, frozenset()).intersection(notice.flaws))
    if wrong:
        rows[-1] = (*rows[-1], Span(f"  do not use: {', '.join(wrong)}", Tone.BAD))
    return rows
