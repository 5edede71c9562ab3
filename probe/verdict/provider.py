"""A response in, what a provider's own header or phrase says of it out: rows of data, one for each known word.

A new provider is a new row. Rows are read top down; the source of each stands beside it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from probe.sip.response import Response
from probe.sip.visible import has_control
from probe.verdict.disposition import Disposition, Finding, strong, weak

_CODE = re.compile(r"[0-9]{1,8}")
_BELIEVED = frozenset({"sip", "q.850"})
_LENGTH = 1000  # a phrase longer than this is no phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHeader:
    """A header field in which a provider gives an error code of its own; `codes` are those whose meaning is known."""

    provider: str
    codes: dict[str, tuple[Disposition, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Words in a phrase or in the text of a Reason, under these statuses, and what they mean."""

    words: re.Pattern[str]
    statuses: frozenset[int]
    finding: Finding


ProviderError = tuple[ErrorHeader, str]

HEADERS: dict[str, ErrorHeader] = {
    "x-twilio-error": ErrorHeader(
        provider="twilio",
        codes={
            # livekit/sip pkg/sip/errors_test.go; Twilio documents it as its own block
            "32203": (Disposition.PROVIDER_BLOCKED, "Twilio itself blocked the call as potential fraud (error 32203)."),
            # twilio.com changelog, 2022-07-11
            "10001": (Disposition.TRUNK_MISCONFIGURED, "The Twilio account is not active (error 10001)."),
        },
    ),
}

_POLICY = frozenset({403, 500, 503, 603})


def _wording(words: str, statuses: frozenset[int], disposition: Disposition, because: str) -> Wording:
    return Wording(
        words=re.compile(words, re.IGNORECASE),
        statuses=statuses,
        finding=strong(disposition, because, "provider_phrase"),
    )


WORDINGS: tuple[Wording, ...] = (
    # support.telnyx.com, caller ID policy: phrases end in D35 or D51
    _wording(r"\bD(35|51)\b", _POLICY, Disposition.CALLER_ID_REJECTED, "Telnyx does not accept this caller ID."),
    # support.jola.co.uk, Teams DR call status codes: its own cap on the cost of a minute
    _wording(
        r"\bmaxpeak cost\b", _POLICY, Disposition.TRUNK_MISCONFIGURED, "The provider's own cost limit stopped the call."
    ),
    # jambonz/sbc-outbound issue 193
    _wording(
        r"\btrunk concurrent call limit\b",
        _POLICY,
        Disposition.TRUNK_MISCONFIGURED,
        "The trunk's limit of calls at once was reached.",
    ),
    # FreeSWITCH sends 429 for BAD_IDENTITY_INFO (mod_sofia); RFC 8224 says 436
    _wording(
        r"\b(stir|shaken|passport|stale date|bad.identity|invalid identity|identity.info|unsupported credential)\b",
        frozenset({400, 403, 429, 500, 503, 603}),
        Disposition.CALLER_ID_REJECTED,
        "The provider refused the signature of the caller ID.",
    ),
    # words of many providers; standards of practice, not of any RFC
    _wording(
        r"caller.?id|calling.?(party|number|line)|originat\w+ number|from number|\b(cli|ani|dno)\b"
        r"|do.not.originate|attestation|spoof|unverified",
        _POLICY,
        Disposition.CALLER_ID_REJECTED,
        "The provider's words are about the caller ID.",
    ),
    _wording(
        r"\b(cost|limit|limits|quota|balance|credits?|funds?|payment|prepaid|account|cps|suspended|license)\b"
        r"|exceed|concurrent|not whitelisted|not (allowed|permitted|enabled) (from|for) (this|your)",
        _POLICY,
        Disposition.TRUNK_MISCONFIGURED,
        "The provider's words are about the account, its limits or its cost.",
    ),
    _wording(
        r"\b(spam|robo.?calls?|analytics|nuisance|reputation)\b",
        _POLICY,
        Disposition.ANALYTICS_SUSPECTED,
        "The provider's words are those of call analytics.",
    ),
    _wording(
        r"\b(fraud\w*|blacklist\w*|blocklist\w*|policy|call blocked|blocked by)\b",
        frozenset({403, 603}),
        Disposition.PROVIDER_BLOCKED,
        "The provider's words say that it blocked the call itself.",
    ),
)
_WORDED = frozenset().union(*[row.statuses for row in WORDINGS])


def find_provider(response: Response, errors: tuple[ProviderError, ...]) -> Finding | None:
    """Say what a provider's own header, or else its words, make of the call; None where neither is known."""
    for row, code in errors:
        known = row.codes.get(code)
        if known:
            return strong(*known)
        if response.status == 603:  # noqa: PLR2004 - RFC 3261 s21.6.2
            return weak(Disposition.PROVIDER_BLOCKED, f"{row.provider.title()} gives an error code of its own, {code}.")
    return _find_wording(response)


def find_errors(response: Response) -> tuple[ProviderError, ...]:
    """Find every error code that a provider gives in a header of its own."""
    found = []
    for name in HEADERS.keys() & response.named.keys():
        codes = map(_CODE.match, response.named[name])
        found += [(HEADERS[name], code[0]) for code in codes if code]
    return tuple(found)


def _find_wording(response: Response) -> Finding | None:
    """Search the words of the phrase and of believed Reasons; text with `=` in it is a notice, not words."""
    if response.status not in _WORDED:
        return None
    said = [response.phrase]
    said += [r.text for r in response.reasons if r.text and "=" not in r.text and r.protocol.lower() in _BELIEVED]
    return _by_words(response.status, " | ".join([text[:_LENGTH] for text in said if not has_control(text)]))


@lru_cache(maxsize=4096)
def _by_words(status: int, said: str) -> Finding | None:
    """Search every row; networks say the same few things again and again, so what was found is kept."""
    return next((row.finding for row in WORDINGS if status in row.statuses and row.words.search(said)), None)
