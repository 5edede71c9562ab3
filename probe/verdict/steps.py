"""A verdict and its notice in, what to do next out: sentences from rows of data."""

from probe.verdict.disposition import Disposition
from probe.verdict.evidence import shown
from probe.verdict.judge import Verdict
from probe.verdict.notice import Notice

_D = Disposition
_CONTROL_CALL = (
    "Place a control call to the same number from a caller ID that is known to be good; if that one rings and this one "
    "is refused again, the caller ID is blocked."
)
_KEEP_OFF = "Do not call this number again from this caller ID until the block is lifted: more tries count against you."
_ASK_PROVIDER = "Ask your trunk provider, with the Call-ID and the time of the call."

BY_DISPOSITION: dict[Disposition, tuple[str, ...]] = {
    _D.ANSWERED: ("Nothing to do: the call got through.",),
    _D.ANALYTICS_BLOCKED: (
        _KEEP_OFF,
        "Ask the blocker for redress, free of charge: give the Call-ID, the time, both numbers and its reference.",
        "Check how the caller ID is registered and labelled with the analytics companies of the big carriers.",
    ),
    _D.ANALYTICS_SUSPECTED: (
        _KEEP_OFF,
        _CONTROL_CALL,
        "Ask your trunk provider for the response as it received it, and who changed it on the way.",
    ),
    _D.SUBSCRIBER_BLOCKED: (
        "Honour it: take this number off your list for this caller, and do not try again from another caller ID.",
    ),
    _D.PROVIDER_BLOCKED: (
        "Ask the provider which of its own rules stopped the call; this proves neither a person's will nor analytics.",
        _KEEP_OFF,
    ),
    _D.USER_DECLINED: ("Respect the refusal; it says nothing against the caller ID.",),
    _D.REJECTED_AMBIGUOUS: (
        _CONTROL_CALL,
        "Look at the same caller ID on other networks before you draw a conclusion.",
    ),
    _D.USER_BUSY: ("Try again later; if it is busy at once every time, place a control call from another caller ID.",),
    _D.NO_ANSWER: ("Nothing to do: it rang. Try at another time of day.",),
    _D.UNREACHABLE: ("Try again later; if a control caller ID gets through at the same time, suspect a block.",),
    _D.INVALID_NUMBER: ("Check the called number; if it is right, ask your trunk provider about its routing.",),
    _D.CALLER_ID_REJECTED: (
        "Check that the caller ID is assigned to you and verified with the trunk provider.",
        "Check that the calls are signed (STIR/SHAKEN) and that the clocks are right.",
    ),
    _D.TRUNK_MISCONFIGURED: (
        "Check the account: credentials, balance, limits of calls at once and per second, permitted destinations.",
        _ASK_PROVIDER,
    ),
    _D.NETWORK_FAILURE: ("Try again later; if it goes on, ask your trunk provider.", _ASK_PROVIDER),
    _D.MEDIA_INCOMPATIBLE: ("Check which codecs the trunk takes and which were offered.",),
    _D.REDIRECTED: ("Look where the Contact header points: some screening services send callers elsewhere.",),
    _D.CANCELLED: ("Nothing to do: the call was cancelled before it could be answered.",),
    _D.TIMED_OUT: ("Check the trunk and the route; no phone rang.", _ASK_PROVIDER),
    _D.PROTOCOL_ERROR: ("Compare the INVITE with what the trunk's manual asks for.", _ASK_PROVIDER),
    _D.INCONCLUSIVE: ("Put right what stopped the test, then test again: this says nothing about the caller ID.",),
}

# A flag `name:detail` is looked up by its name.
BY_FLAG: dict[str, str] = {
    "answered_and_dropped": "Call the number by hand once: some blockers answer and hang up, and so do broken routes.",
    "message_cut": "Ask the carrier for the whole message; what is cut may name the contact for redress.",
    "premium_redress_tel": "Do not call the number that the notice gives: it costs a premium.",
    "retry_after": "Do not try again before the time that the response asks for.",
    "stir_error": "Ask your trunk provider how your calls are signed: the network found a fault.",
    "status_remapped": "Tell your trunk provider that somebody on the way changes the status of blocked calls.",
    "phrase_rewritten": "Tell your trunk provider that somebody on the way rewrites the phrase of blocked calls.",
}
_UNSAFE = frozenset({"bad_redress_url", "bad_redress_email", "bad_redress_tel", "bad_call_info"})


def next_steps(verdict: Verdict, notice: Notice | None) -> tuple[str, ...]:
    """Say what a person should do next; contacts of the notice are quoted, never to be used by a program."""
    steps = [*BY_DISPOSITION[verdict.disposition], *_contact_steps(notice)]
    steps += [step for flag in verdict.flags if (step := BY_FLAG.get(flag.partition(":")[0]))]
    return tuple(dict.fromkeys(steps))


def _contact_steps(notice: Notice | None) -> list[str]:
    if notice is None:
        return []
    contacts = [c for c in (notice.url, notice.tel, notice.email, notice.call_info) if c]
    if not contacts:
        return []
    steps = [shown(f"The notice names this contact; check whom it belongs to before you use it: {', '.join(contacts)}")]
    if notice.id:
        steps.append(shown(f"Quote the blocker's reference: {notice.id}"))
    if _UNSAFE.intersection(notice.flaws):
        steps.append("Part of that contact is not safe to use as it is; look the blocker up by another way.")
    return steps
