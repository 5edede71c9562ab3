"""A notice as it was seen in, its contacts out: as text, each with what is wrong with it, never to be used unseen."""

from typing import Final, NamedTuple

from probe.health import NoticeSeen
from probe.verdict.redress import email_flaw, id_flaw, tel_flaw, url_flaw

_WORDS: Final = {
    "bad_redress_url": "do not open it: no safe public https address",
    "bad_redress_tel": "do not call it as it is: not in international form",
    "premium_redress_tel": "do not call it: it costs a premium",
    "bad_redress_email": "do not write to it as it is: no plain valid address",
    "bad_id": "quote it with care: it holds characters that the standard forbids",
}


class Contact(NamedTuple):
    """One value of a notice, as received; `flaw` says in words what is wrong with it."""

    name: str
    value: str
    flaw: str | None


def contacts_of(seen: NoticeSeen) -> tuple[Contact, ...]:
    """Give the contacts and the blocker's reference that a notice names, in the order in which one would try them."""
    rows = (
        ("url", seen.url, url_flaw),
        ("tel", seen.tel, tel_flaw),
        ("email", seen.email, email_flaw),
        ("id", seen.id, id_flaw),
    )
    return tuple(Contact(name, value, _WORDS.get(judge(value) or "")) for name, value, judge in rows if value)
