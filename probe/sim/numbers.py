"""What the simulated carrier does for each number dialled and each caller ID: tables, no code.

Reason values follow ATIS-1000099 as its public sources show it; the damaged ones are damage seen in the field.
"""

from dataclasses import dataclass, field

_URL = "https://redress.example.com/r"
_SIP_FORM = f'SIP;cause=603;text="v=analytics1;url={_URL};tel=+18005550100;id=sim-0001";location=RLN'
_Q850_FORM = 'Q.850;cause=21;text="v=analytics1;email=redress@example.com;id=sim-0002";location=LN'
_JCARD = "<https://redress.example.com/jcard>;purpose=jwscard"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Send one response, `after_ms` after the step before. 183 and 200 carry SDP."""

    status: int
    phrase: str
    after_ms: int = 0
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """Hang up an answered call, `after_ms` after its ACK."""

    after_ms: int = 0
    headers: Headers = ()


Step = Say | Bye


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What happens to a call, and how probe should read it. No steps at all is silence."""

    does: str
    reads_as: str
    steps: tuple[Step, ...] = field(default=())


def _reason(*values: str) -> Headers:
    return tuple(("Reason", value) for value in values)


def _blocked(*reasons: str, after_ms: int = 0) -> Say:
    return Say(status=603, phrase="Network Blocked", after_ms=after_ms, headers=_reason(*reasons))


_RING = Say(status=180, phrase="Ringing", after_ms=100)
_MEDIA = Say(status=183, phrase="Session Progress", after_ms=100)
_ANSWER = Say(status=200, phrase="OK", after_ms=800)
_DECLINE = Say(status=603, phrase="Decline")

ANALYTICS: dict[str, Script] = {
    "+12025550102": Script(
        does="603+ with a SIP Reason", reads_as="analytics_blocked", steps=(_blocked(_SIP_FORM, after_ms=60),)
    ),
    "+12025550103": Script(
        does="603+ with a Q.850 Reason", reads_as="analytics_blocked", steps=(_blocked(_Q850_FORM, after_ms=60),)
    ),
    "+12025550104": Script(
        does="608 with Call-Info",
        reads_as="analytics_blocked",
        steps=(Say(status=608, phrase="Rejected", after_ms=60, headers=(("Call-Info", _JCARD),)),),
    ),
    "+12025550105": Script(
        does="a plain 603 at once: a block that does not say so",
        reads_as="rejected_ambiguous",
        steps=(Say(status=603, phrase="Decline", after_ms=60),),
    ),
}
"""Caller IDs that the carrier's analytics hold to be bad: blocked whatever number they dial."""

ORDINARY = Script(does="rings, answers and holds until BYE", reads_as="answered", steps=(_RING, _ANSWER))
"""Any number that is not in the table."""

_CONFORMANT = {
    "+12025550120": Script(
        does="603+, SIP Reason with url, tel and id", reads_as="analytics_blocked", steps=(_blocked(_SIP_FORM),)
    ),
    "+12025550121": Script(
        does="603+, Q.850 Reason with email", reads_as="analytics_blocked", steps=(_blocked(_Q850_FORM),)
    ),
    "+12025550122": Script(
        does="603+ after ringing", reads_as="analytics_blocked", steps=(_RING, _blocked(_SIP_FORM, after_ms=500))
    ),
    "+12025550123": Script(
        does="603+ in the second of two Reason headers",
        reads_as="analytics_blocked",
        steps=(_blocked("Q.850;cause=21", _SIP_FORM),),
    ),
}

_DAMAGED = {
    "+12025550130": Script(
        does="603+ whose phrase was rewritten to Decline",
        reads_as="analytics_suspected",
        steps=(Say(status=603, phrase="Decline", headers=_reason(_SIP_FORM)),),
    ),
    "+12025550131": Script(
        does="Network Blocked with the Reason stripped", reads_as="analytics_suspected", steps=(_blocked(),)
    ),
    "+12025550132": Script(
        does="603+ remapped to 486",
        reads_as="analytics_suspected",
        steps=(Say(status=486, phrase="Busy Here", headers=_reason(_SIP_FORM)),),
    ),
    "+12025550133": Script(
        does="603+ remapped to 480",
        reads_as="analytics_suspected",
        steps=(Say(status=480, phrase="Temporarily Unavailable", headers=_reason(_SIP_FORM)),),
    ),
    "+12025550134": Script(
        does="603+ with text not quoted",
        reads_as="analytics_blocked",
        steps=(_blocked(f"SIP;cause=603;text=v=analytics1;url={_URL};location=LN"),),
    ),
    "+12025550135": Script(
        does="603+ cut before the closing quote",
        reads_as="analytics_blocked",
        steps=(_blocked(f'SIP;cause=603;text="v=analytics1;url={_URL}?case=0000-0000'),),
    ),
    "+12025550136": Script(
        does="603+ with an http URL",
        reads_as="analytics_blocked",
        steps=(_blocked('SIP;cause=603;text="v=analytics1;url=http://redress.example.com/r";location=LN'),),
    ),
    "+12025550137": Script(
        does="603+ without any contact",
        reads_as="analytics_blocked",
        steps=(_blocked('SIP;cause=603;text="v=analytics1";location=TN'),),
    ),
    "+12025550138": Script(
        does="603+ with typographic quotes",
        reads_as="analytics_blocked",
        steps=(_blocked(f"SIP ;cause=603 ;text=\u201dv=analytics1;url={_URL}\u201d ;location=LN"),),
    ),
    "+12025550139": Script(
        does="603+ with a national tel and an illegal id",
        reads_as="analytics_blocked",
        steps=(_blocked('SIP;cause=603;text="v=analytics1;tel=1-800-555-0100;id=case#42";location=LN'),),
    ),
    "+12025550140": Script(
        does="603+ with its pairs as Reason parameters",
        reads_as="analytics_blocked",
        steps=(_blocked(f'SIP;cause=603;text="Network Blocked";v=analytics1;location=RLN;url="{_URL}"'),),
    ),
    "+12025550141": Script(
        does="603+ beside a false Q.850;cause=17",
        reads_as="analytics_blocked",
        steps=(_blocked("Q.850;cause=17", _SIP_FORM),),
    ),
    "+12025550142": Script(
        does="Network Blocked with only Q.850;cause=21",
        reads_as="analytics_suspected",
        steps=(_blocked("Q.850;cause=21"),),
    ),
    "+12025550143": Script(
        does="603+ with hostile contacts",
        reads_as="analytics_blocked",
        steps=(
            _blocked(
                'SIP;cause=603;text="v=analytics1;url=https://169.254.169.254/latest;tel=+19005550100;'
                'email=x@example.com%0d%0aBcc:all@example.com";location=LN'
            ),
        ),
    ),
}

_OTHER_NOTICES = {
    "+12025550150": Script(
        does="607 after ringing",
        reads_as="subscriber_blocked",
        steps=(_RING, Say(status=607, phrase="Unwanted", after_ms=900)),
    ),
    "+12025550151": Script(
        does="603 with a 607 in its Reason",
        reads_as="subscriber_blocked",
        steps=(
            _RING,
            Say(status=603, phrase="Decline", after_ms=900, headers=_reason('SIP;cause=607;text="Unwanted"')),
        ),
    ),
    "+12025550152": Script(
        does="608 with Call-Info",
        reads_as="analytics_blocked",
        steps=(Say(status=608, phrase="Rejected", headers=(("Call-Info", _JCARD),)),),
    ),
    "+12025550153": Script(
        does="608 after an announcement, without Call-Info",
        reads_as="analytics_blocked",
        steps=(_MEDIA, Say(status=608, phrase="Rejected", after_ms=900)),
    ),
}

_PROVIDERS = {
    "+12025550160": Script(
        does="603 marked by Twilio as its own block",
        reads_as="provider_blocked",
        steps=(
            Say(
                status=603,
                phrase="Decline",
                headers=(("X-Twilio-Error", "32203 Call blocked as potential fraud"),),
            ),
        ),
    ),
    "+12025550161": Script(
        does="603 marked by Twilio: inactive account",
        reads_as="trunk_misconfigured",
        steps=(Say(status=603, phrase="Decline", headers=(("X-Twilio-Error", "10001 Account is not active"),)),),
    ),
    "+12025550162": Script(
        does="603 for a cost limit",
        reads_as="trunk_misconfigured",
        steps=(Say(status=603, phrase="MaxPeak Cost Exceeded"),),
    ),
    "+12025550163": Script(
        does="403 for the caller ID",
        reads_as="caller_id_rejected",
        steps=(Say(status=403, phrase="Caller Origination Number is Invalid D35"),),
    ),
}

_PLAIN_603 = {
    "+12025550170": Script(does="603 at once", reads_as="rejected_ambiguous", steps=(_DECLINE,)),
    "+12025550171": Script(
        does="603 two seconds after the first ring",
        reads_as="user_declined",
        steps=(_RING, Say(status=603, phrase="Decline", after_ms=2000)),
    ),
    "+12025550172": Script(
        does="603 with Retry-After",
        reads_as="user_declined",
        steps=(_RING, Say(status=603, phrase="Decline", after_ms=500, headers=(("Retry-After", "120"),))),
    ),
    "+12025550173": Script(
        does="183 with early media, then 603",
        reads_as="rejected_ambiguous",
        steps=(_MEDIA, Say(status=603, phrase="Decline", after_ms=1500)),
    ),
    "+12025550174": Script(
        does="603 with Q.850;cause=21;location=U, as from TDM",
        reads_as="rejected_ambiguous",
        steps=(Say(status=603, phrase="Decline", after_ms=1600, headers=_reason("Q.850;cause=21;location=U")),),
    ),
}

_ENDINGS = {
    "+12025550180": Script(does="486 at once", reads_as="user_busy", steps=(Say(status=486, phrase="Busy Here"),)),
    "+12025550181": Script(
        does="480 at once", reads_as="unreachable", steps=(Say(status=480, phrase="Temporarily Unavailable"),)
    ),
    "+12025550182": Script(does="404", reads_as="invalid_number", steps=(Say(status=404, phrase="Not Found"),)),
    "+12025550183": Script(
        does="503", reads_as="network_failure", steps=(Say(status=503, phrase="Service Unavailable"),)
    ),
    "+12025550184": Script(
        does="480 after ringing",
        reads_as="no_answer",
        steps=(_RING, Say(status=480, phrase="Temporarily Unavailable", after_ms=3000)),
    ),
    "+12025550185": Script(
        does="488", reads_as="media_incompatible", steps=(Say(status=488, phrase="Not Acceptable Here"),)
    ),
    "+12025550190": ORDINARY,
    "+12025550192": Script(
        does="answers and hangs up at once", reads_as="answered", steps=(Say(status=200, phrase="OK"), Bye())
    ),
    "+12025550193": Script(
        does="answers, then BYE with a 607 in its Reason",
        reads_as="subscriber_blocked",
        steps=(_RING, _ANSWER, Bye(after_ms=500, headers=_reason('SIP;cause=607;text="Unwanted"'))),
    ),
    "+12025550194": Script(does="rings for ever", reads_as="no_answer", steps=(_RING,)),
    "+12025550195": Script(does="says nothing at all", reads_as="inconclusive"),
}

NUMBERS: dict[str, Script] = {
    **_CONFORMANT,
    **_DAMAGED,
    **_OTHER_NOTICES,
    **_PROVIDERS,
    **_PLAIN_603,
    **_ENDINGS,
}
"""What each number does when a caller ID of good standing dials it."""


def script_for(caller: str, callee: str) -> Script:
    """Say what happens to a call: the carrier's analytics look at the caller first."""
    return ANALYTICS.get(caller) or NUMBERS.get(callee, ORDINARY)
