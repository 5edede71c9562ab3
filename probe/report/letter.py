"""A dossier in, a letter to the redress desk out: what is known stands there, what only the user knows in [brackets].

In Markdown, and every word from the network in a code span: there a renderer makes no link of an address.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from typing import Final

from probe.health import Evidence, Standing, evidence_of
from probe.report.dossier import BlockedCall, Dossier, case_contacts
from probe.report.standing_words import blocked_of, count, interval, listed, moment, percent
from probe.report.text import clip, plain
from probe.report.words import LOCATION_WORDS, NOTICE_WORDS

_LONGEST: Final = 600
_MOST_CALLS: Final = 5
_MOST_REFERENCES: Final = 10
_TICKS: Final = re.compile("`+")


def letter(dossier: Dossier) -> str:
    """Write the letter, unsigned. It is no legal advice, and says so."""
    parts = (_NOTE, *_addressed(dossier), _OPENING, *_facts(dossier), _WHO, _asked(), _END)
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """Write a text as a code span that it cannot leave (CommonMark 6.1)."""
    shown = clip(plain(text), _LONGEST)
    longest = max((len(ticks) for ticks in _TICKS.findall(shown)), default=0)
    fence, blank = "`" * (longest + 1), " " if longest or not shown.strip() else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


_NOTE: Final = (
    "> Draft. Fill in what stands in [brackets], take out what does not hold, sign it, and take this note out.\n"
    "> This is not legal advice."
)
_OPENING: Final = (
    "To the redress desk:\n\n"
    "Calls from our number are refused, and the refusals name you as the place to complain. We believe that they are\n"
    "refused in error: [why, in a sentence]. Please look into it and put it right."
)
_WHO: Final = (
    "## Who we are, and why we call\n\n"
    "- The number is assigned to us by [carrier], and we may use it as our caller ID: [letter of authorization].\n"
    "- It is registered as ours with [registrations, such as those of the analytics companies], under [name shown].\n"
    "- Our calls are signed with attestation [A, B or C] by [provider].\n"
    "- We use the number for [use case], about [number] calls a day, between [hours] at the called party.\n"
    "- The people we call agreed to it: [evidence of consent]. Who asks us to stop is not called again: [how].\n"
    "- What we changed since the first block: [changes, or nothing]."
)
_REQUESTS: Final = (
    "Take this as a claim that our calls are blocked in error, and cease the treatment of this number if they are.",
    "Tell us how it stands within 24 hours, and who your single point of contact is, if not you.",
    "If you find that the treatment is right, tell us what led to it, so that we can mend it.",
    "Charge nothing for this.",
    "If the block is not yours, tell us whose it is, if you know.",
)
_LAW: Final = (
    "[For calls to the United States:] As we read 47 CFR 64.1200(k)(8), who blocks calls gives a single point of\n"
    "contact, a status within 24 hours, ceases the treatment where the call should not have been blocked, and charges\n"
    "nothing for it."
)
_END: Final = (
    "## Enclosed\n\n"
    "The facts of each call (facts.txt, facts.csv), the SIP messages as text and as captures (messages, calls), the\n"
    "ladders (ladder.txt), and all calls from the number over time (chart.svg).\n\n"
    "[place, date]\n\n"
    "[name, function, telephone, e-mail]"
)


def _addressed(dossier: Dossier) -> Iterator[str]:
    case = dossier.case
    yield f"# Request for redress: calls from {code(case.caller)} are blocked"
    contacts = [
        f"- {name}: {code(value)}" + (f" **[{flaw}]**" if flaw else "")
        for name, value, flaw in case_contacts(case)
        if name != "id"
    ]
    yield "\n".join(
        (
            f"**To** the desk for blocked calls that the refusals name: {code(case.blocker)}",
            "",
            *(contacts or ["- [the refusals name no contact: ask your trunk provider who blocked, and write to them]"]),
            "",
            "> As the network sent it, and not verified (RFC 8688 s6): find out whom it belongs to before you use it.",
        )
    )
    yield "**From** [company, address]; [person who answers, telephone, e-mail]"
    notices = (one.call.notice for one in dossier.calls)
    references = list(dict.fromkeys(notice.id for notice in notices if notice and notice.id))
    if references:
        more = f" and {len(references) - _MOST_REFERENCES} more" if len(references) > _MOST_REFERENCES else ""
        yield f"**Your reference** {', '.join(map(code, references[:_MOST_REFERENCES]))}{more}"


def _facts(dossier: Dossier) -> Iterator[str]:
    case = dossier.case
    networks = f" on {listed(map(code, case.networks))}" if case.networks else ""
    facts = [
        f"- Caller ID: {code(case.caller)}",
        f"- Blocked: {count(case.count, 'call')}{networks}",
        f"- First {moment(case.first_seen)}, last {moment(case.last_seen)}",
        *_answer(dossier.calls),
        *(_share(one) for one in dossier.standings if one.network in (case.networks or (None,))),
        *_controls(dossier.calls),
        *_placed(dossier.calls),
    ]
    if case.cleared_at and case.back_at:
        facts.append(f"- The block was lifted by {moment(case.cleared_at)} and is back since {moment(case.back_at)}.")
    yield "## The facts\n\n" + "\n".join(facts)
    rows = [_call(one) for one in dossier.calls[:_MOST_CALLS]]
    if rows:
        yield "\n".join(["The latest of these calls; more are in facts.csv:", "", *rows])


def _answer(calls: tuple[BlockedCall, ...]) -> Iterator[str]:
    newest = calls[0].call if calls else None
    if newest is None or newest.conversation.final is None:
        return
    final = newest.conversation.final
    yield f"- The answer to the latest: {code(f'{final.status} {final.phrase}'.rstrip())}"
    for reason in final.all("reason"):
        yield f"- Its Reason: {code(reason)}"
    if newest.notice:
        yield f"- That is {newest.notice.kind}, {NOTICE_WORDS[newest.notice.kind]}{_where(newest.notice.location)}"


def _where(location: str | None) -> str:
    if not location:
        return ""
    known = LOCATION_WORDS.get(location.upper())
    return f", by {known} ({code(location)})" if known else f", by location {code(location)}"


def _share(one: Standing) -> str:
    share = f"{percent(one.blocked_share)} (95 % interval {interval(one)})"
    found = f"{blocked_of(one)} judged calls blocked, all blockers together: {share}"
    return f"- {f'On {code(one.network)}' if one.network else 'On all networks'}: {found}"


def _controls(calls: tuple[BlockedCall, ...]) -> Iterator[str]:
    heard = [evidence_of(one.control.verdict.disposition) for one in calls if one.control]
    through = sum(evidence is Evidence.THROUGH for evidence in heard)
    if through:
        yield (
            f"- Beside {count(len(heard), 'blocked call')} we called the same number from another of our numbers: "
            f"{through} got through. Those refusals were about the caller ID, not about the called number."
        )


def _placed(calls: tuple[BlockedCall, ...]) -> Iterator[str]:
    """Say which of them were tests: a desk is told nothing that is not so."""
    counts = Counter(one.call.record.imported for one in calls)
    tests = counts.pop(None, 0)
    if tests:
        yield f"- Test calls of our own among them, to lines whose owners agreed to be called: {tests}"
    for source, number in counts.items():
        yield f"- Calls of our business among them, as {code(source or '')} recorded them: {number}"


def _call(one: BlockedCall) -> str:
    record, call_id = one.call.record, one.call.conversation.call_id
    named = f", Call-ID {code(call_id)}" if call_id else ""
    return f"- {record.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, to {code(record.request.callee)}{named}"


def _asked() -> str:
    numbered = (f"{number}. {words}" for number, words in enumerate(_REQUESTS, start=1))
    return "\n".join(["## What we ask", "", *numbered, "", _LAW])
