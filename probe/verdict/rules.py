"""A case in, the finding on it out, by one ordered table: RULES, read top down; the first row that holds decides.

The order follows the weight of evidence: our own ending first, then an answer, then what a standard makes certain, then
what a provider says of itself, what is left of a damaged notice, and last the bare status code with its timing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from probe.call import Ending
from probe.sip.visible import has_control
from probe.verdict.disposition import BY_CAUSE, BY_CLASS, BY_STATUS, Disposition, Finding, certain, strong, weak
from probe.verdict.heard import Case
from probe.verdict.notice import NETWORK_BLOCKED, Conformance

# Start values, to be tuned by experience: how long a person needs to decline, and a phone to ring out.
PERSON_MS = 1_500
RING_OUT_MS = 1_500
DROPPED_MS = 1_000

_DECLINE = 603
# Phrases that say no more than the code does.
_PLAIN_PHRASES = frozenset(
    {"", "decline", "declined", "call declined", "user declined", "rejected", "call rejected", NETWORK_BLOCKED}
)
_NETWORK_LOCATIONS = frozenset({"LN", "TN", "RLN"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: when it holds, what it finds (at once or by a look into another table), and flags that go with it."""

    when: Callable[[Case], bool]
    finding: Finding | Callable[[Case], Finding]
    flags: Callable[[Case], tuple[str, ...]] | None = None


def find(case: Case) -> Finding:
    """Give the finding of the first rule that holds; the last rule always does."""
    for rule in _rules_for(case.status, case.ending):
        if rule.when(case):
            found = rule.finding if isinstance(rule.finding, Finding) else rule.finding(case)
            return _with_flags(found, rule.flags(case)) if rule.flags else found
    raise AssertionError("the last rule holds for every case")


def _with_flags(finding: Finding, flags: tuple[str, ...]) -> Finding:
    return Finding(
        disposition=finding.disposition,
        confidence=finding.confidence,
        because=finding.because,
        flags=(*finding.flags, *flags),
    )


def _always(_: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _When:
    """Holds where a test does, for some statuses and endings only, and is asked for no others."""

    test: Callable[[Case], bool] = _always
    status: Callable[[int], bool] = _always
    ending: Ending | None = None  # None: any

    def __call__(self, c: Case) -> bool:
        return self.may_hold(c.status, c.ending) and self.test(c)

    def may_hold(self, status: int, ending: Ending | None) -> bool:
        return (self.ending is None or self.ending is ending) and self.status(status)


def _ended(ending: Ending, test: Callable[[Case], bool] = _always) -> _When:
    return _When(test, ending=ending)


def _at(status: int, test: Callable[[Case], bool]) -> _When:
    return _When(test, status=status.__eq__)


@lru_cache(maxsize=4096)
def _rules_for(status: int, ending: Ending | None) -> tuple[Rule, ...]:
    """Leave out the rules that cannot hold for this status and ending; the order stays."""
    return tuple(rule for rule in RULES if not isinstance(rule.when, _When) or rule.when.may_hold(status, ending))


def _is_ours(status: int) -> bool:
    """No real final response crossed our CANCEL."""
    return status in (0, 487)


def _bye_says(cause: int) -> _When:
    return _When(
        lambda c: any(r.cause == cause and r.protocol.lower() == "sip" for r in c.heard.bye_reasons), status=_is_answer
    )


def _is_answer(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - RFC 3261 s7.2: 2xx


def _notice_is(kind: str, *conformances: Conformance) -> Callable[[Case], bool]:
    return lambda c: c.notice is not None and c.notice.kind == kind and c.notice.conformance in conformances


def _is_damaged(c: Case) -> bool:
    return c.notice is not None and c.notice.kind == "603+" and c.notice.conformance is Conformance.DEVIANT


def _says_607_or_608(cause: str) -> Callable[[Case], bool]:
    return lambda c: c.notice is not None and c.notice.kind == cause and str(c.status) != cause


def _is_stale(c: Case) -> bool:
    return c.phrase == "stale date"


def _has_telling_cause(c: Case) -> bool:
    return c.q850 is not None and c.q850.cause in BY_CAUSE


def _is_pbx_default(c: Case) -> bool:
    """Asterisk sends 603 for every cause that it cannot map, 16 and 0 among them (chan_pjsip.c)."""
    server = (c.header("server") or c.header("user-agent") or "").lower()
    cause = c.q850.cause if c.q850 else None
    return cause in (0, 16) and ("asterisk" in server or server.startswith("fpbx"))


def _gives_cause(cause: int, locations: frozenset[str] | None = None) -> Callable[[Case], bool]:
    """Ask for a Q.850 cause; with `locations`, for one released there (RFC 8606)."""
    return lambda c: (
        c.q850 is not None
        and c.q850.cause == cause
        and (locations is None or (c.q850.location or "").upper() in locations)
    )


_released_by_network = _gives_cause(21, _NETWORK_LOCATIONS)
_released_by_user = _gives_cause(21, frozenset({"U"}))


def _rang_for(least_ms: int) -> Callable[[Case], bool]:
    return lambda c: c.ringing_ms is not None and c.ringing_ms >= least_ms


def _has_own_words(c: Case) -> bool:
    """A phrase with control characters in it is damage, not words."""
    return c.phrase not in _PLAIN_PHRASES and c.response is not None and not has_control(c.response.phrase)


def _was_fast(c: Case) -> bool:
    return not c.rang and c.heard.final_ms is not None and c.heard.final_ms <= PERSON_MS


def _traits(c: Case) -> tuple[str, ...]:
    """What else is notable in a plain 603 (standards of practice, see the rows that name them)."""
    found = {
        "fast_603_no_alerting": _was_fast(c),
        "pbx_default_603": _is_pbx_default(c),
        "tdm_user_location": _released_by_user(c),
        "tdm_network_location": _released_by_network(c),
    }
    return tuple([flag for flag, is_so in found.items() if is_so])


def _is_status(*codes: int) -> _When:
    return _When(status=codes.__contains__)


def _blames_identity(c: Case) -> bool:
    return c.status in (400, 403, 429, 500, 503, 603) and c.stir is not None


def _by_provider(c: Case) -> Finding:
    assert c.provider  # the rule's condition found it
    return c.provider


def _by_cause(c: Case) -> Finding:
    assert c.q850  # the rule's condition found it
    return BY_CAUSE[c.q850.cause or 0]


def _by_status(c: Case) -> Finding:
    return BY_STATUS[c.status]


def _by_class(c: Case) -> Finding:
    alike = BY_CLASS.get(c.status // 100)
    if alike is None:
        return weak(Disposition.PROTOCOL_ERROR, f"{c.status} is no status of SIP.", "unknown_code")
    return weak(
        alike.disposition, f"{c.status} is not a known status; it counts as {c.status // 100}00.", "unknown_code"
    )


_NOBODY = Disposition.INCONCLUSIVE
_SUSPECTED = Disposition.ANALYTICS_SUSPECTED
_AMBIGUOUS = Disposition.REJECTED_AMBIGUOUS

ENDINGS = (
    Rule(_ended(Ending.GUARDED), certain(_NOBODY, "Our own guard refused the call; nothing was sent.")),
    Rule(_ended(Ending.STOPPED), certain(_NOBODY, "We stopped the call ourselves before it could end.")),
    Rule(
        _ended(Ending.LOST), certain(_NOBODY, "Our own program ended before the call did; nobody knows how it ended.")
    ),
    Rule(_ended(Ending.AGENT_FAILED), certain(_NOBODY, "Our own SIP phone failed; the network is not to blame.")),
    Rule(
        _ended(Ending.NO_RESPONSE, lambda c: c.response is None),
        certain(_NOBODY, "Nothing came back from the trunk, so nothing is known about the number."),
    ),
    Rule(
        _When(lambda c: c.rang, status=_is_ours, ending=Ending.RING_LIMIT),
        strong(Disposition.NO_ANSWER, "It rang until our own ring limit, and nobody answered; then we cancelled."),
    ),
    Rule(
        _When(status=_is_ours, ending=Ending.RING_LIMIT),
        strong(Disposition.TIMED_OUT, "The trunk took the call, but no phone rang until our own ring limit."),
    ),
    Rule(lambda c: c.response is None, certain(_NOBODY, "No final response came off the wire.")),
    Rule(_is_status(0), certain(_NOBODY, "What came back could not be read as a SIP response.")),
    Rule(
        _When(status=lambda status: status < 200),  # noqa: PLR2004 - 1xx
        certain(_NOBODY, "This is a provisional response; the final one is missing."),
    ),
)
ANSWERS = (
    # RFC 8197 s4: 607 may be the cause of a BYE; RFC 8688 s3 says the same of 608.
    Rule(
        _bye_says(607),
        strong(
            Disposition.SUBSCRIBER_BLOCKED,
            "The call was answered and hung up with 607: the called party does not want calls from this caller.",
            "bye_607",
        ),
    ),
    Rule(
        _bye_says(608),
        strong(_SUSPECTED, "The call was answered and hung up with 608: a machine rejected it as unwanted.", "bye_608"),
    ),
    Rule(_is_status(200), certain(Disposition.ANSWERED, "The call was answered.")),
    Rule(_is_status(202, 204), _by_status),
    Rule(
        _When(status=_is_answer),
        strong(Disposition.ANSWERED, "The call was answered, with an unusual status.", "unknown_code"),
    ),
)
NOTICES = (
    Rule(
        _notice_is("603+", Conformance.CONFORMANT),
        certain(
            Disposition.ANALYTICS_BLOCKED,
            "A network blocked the call because of call analytics and says so as the standard asks (603+).",
        ),
    ),
    Rule(_is_status(608), _by_status),
    Rule(
        _at(403, _is_stale),  # RFC 8224 s6.2.2
        certain(Disposition.CALLER_ID_REJECTED, "The signature of the caller ID was too old (RFC 8224: Stale Date)."),
    ),
    Rule(lambda c: c.provider is not None, _by_provider),
    Rule(
        lambda c: _is_damaged(c) and c.notice.version is None,  # type: ignore[union-attr]  # _is_damaged saw the notice
        strong(
            _SUSPECTED, "The phrase is that of an analytics block (603+), but the Reason that proves it is missing."
        ),
    ),
    Rule(
        lambda c: _is_damaged(c) and c.phrase == NETWORK_BLOCKED,
        strong(
            Disposition.ANALYTICS_BLOCKED,
            "A network blocked the call because of call analytics (603+), but its notice has faults.",
        ),
    ),
    Rule(
        _is_damaged,
        strong(_SUSPECTED, "The Reason is that of an analytics block (603+); somebody on the way rewrote the phrase."),
    ),
    Rule(
        _notice_is("603+", Conformance.REMAPPED),
        weak(_SUSPECTED, "The Reason is that of an analytics block (603+), but under another status code."),
    ),
    Rule(
        _at(_DECLINE, _says_607_or_608("607")),
        strong(Disposition.SUBSCRIBER_BLOCKED, "Its Reason says 607: the called party does not want this caller."),
    ),
    Rule(
        _says_607_or_608("607"),
        weak(Disposition.SUBSCRIBER_BLOCKED, "Its Reason says 607 (unwanted caller), but under another status code."),
    ),
    Rule(
        _at(_DECLINE, _says_607_or_608("608")),
        strong(_SUSPECTED, "Its Reason says 608: a machine on the way rejected the call as unwanted."),
    ),
    Rule(
        _says_607_or_608("608"),
        weak(_SUSPECTED, "Its Reason says 608 (rejected by a machine), but under another status code."),
    ),
    Rule(
        _blames_identity,
        strong(Disposition.CALLER_ID_REJECTED, "Its Reason names a fault in the signature of the caller ID (STIR)."),
    ),
)
PLAIN_603 = (
    Rule(_at(_DECLINE, _has_telling_cause), _by_cause),
    Rule(
        _at(_DECLINE, lambda c: c.header("retry-after") is not None),
        strong(Disposition.USER_DECLINED, "It says when to call again, as a person or a phone would, not a blocker."),
    ),
    Rule(
        _at(_DECLINE, _is_pbx_default),
        weak(_AMBIGUOUS, "A telephone system sends this for many causes; it does not say who ended the call."),
        _traits,
    ),
    Rule(
        _at(_DECLINE, _released_by_network),
        weak(_AMBIGUOUS, "A network, not the phone, rejected the call, and it does not say why."),
        _traits,
    ),
    Rule(
        _at(_DECLINE, _rang_for(PERSON_MS)),
        strong(Disposition.USER_DECLINED, "The phone rang long enough for a person to decline."),
        _traits,
    ),
    Rule(
        _at(_DECLINE, _has_own_words),
        weak(
            Disposition.PROVIDER_BLOCKED,
            "The words are not the usual ones, which points to a rule of a provider.",
            "provider_phrase",
        ),
    ),
    Rule(
        _at(_DECLINE, lambda c: c.heard.alerting_ms is not None and c.heard.final_ms is not None),
        weak(
            Disposition.USER_DECLINED,
            "It was declined sooner after the first ring than a person does; a rule on the phone may have done it.",
            "fast_603_after_alerting",
        ),
        _traits,
    ),
    Rule(
        _at(_DECLINE, lambda c: c.heard.early_media_ms is not None),
        weak(
            _AMBIGUOUS,
            "There was sound before the refusal, but no ringing: perhaps an announcement of the network.",
            "early_media_before_603",
        ),
        _traits,
    ),
    Rule(
        _at(_DECLINE, _was_fast),
        weak(_AMBIGUOUS, "It came faster than a person could decline, and no phone rang: a person or a machine."),
        _traits,
    ),
    Rule(
        _is_status(_DECLINE),
        weak(_AMBIGUOUS, "A plain 603 comes from people who decline and from networks that block; it does not say."),
        _traits,
    ),
)
CODES = (
    Rule(
        _at(408, lambda c: c.rang),
        strong(Disposition.NO_ANSWER, "It rang, and the network gave up waiting for an answer."),
    ),
    Rule(
        _at(408, lambda c: c.timed),
        strong(Disposition.TIMED_OUT, "The network gave up waiting, and no phone rang."),
    ),
    Rule(_is_status(408), weak(Disposition.TIMED_OUT, "The network gave up waiting; whether a phone rang is unknown.")),
    Rule(
        _at(480, _gives_cause(19)),
        strong(Disposition.NO_ANSWER, "The telephone network says: no answer (19)."),
    ),
    Rule(
        _at(480, _gives_cause(21)),
        weak(_AMBIGUOUS, "The telephone network says that the call was rejected (21), not who rejected it or why."),
    ),
    Rule(
        _at(480, _rang_for(RING_OUT_MS)),
        strong(Disposition.NO_ANSWER, "It rang until the network ended the call, and nobody answered."),
    ),
    Rule(
        _at(480, lambda c: c.timed),
        strong(
            Disposition.UNREACHABLE, "The called party is not available: switched off, not logged in, or undisturbed."
        ),
    ),
    Rule(
        _is_status(480),
        weak(Disposition.UNREACHABLE, "The called party is not available; some networks hide a block behind this."),
    ),
    Rule(_When(status=BY_STATUS.__contains__), _by_status),
    Rule(lambda _: True, _by_class),
)
RULES: tuple[Rule, ...] = (*ENDINGS, *ANSWERS, *NOTICES, *PLAIN_603, *CODES)
