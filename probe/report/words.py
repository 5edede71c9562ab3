"""Codes in, the words a contact-centre manager uses out; the code always stands beside its words."""

from typing import Final

from probe.call import Ending
from probe.report.lines import Tone
from probe.verdict import Disposition

DISPOSITION_WORDS: Final = {
    Disposition.ANSWERED: "answered",
    Disposition.ANALYTICS_BLOCKED: "blocked by call analytics",
    Disposition.ANALYTICS_SUSPECTED: "probably blocked by call analytics",
    Disposition.SUBSCRIBER_BLOCKED: "blocked by the called party",
    Disposition.PROVIDER_BLOCKED: "blocked by the provider's own policy",
    Disposition.USER_DECLINED: "declined by the called party",
    Disposition.REJECTED_AMBIGUOUS: "rejected, by a person or a machine",
    Disposition.USER_BUSY: "busy",
    Disposition.NO_ANSWER: "not answered",
    Disposition.UNREACHABLE: "phone not reachable",
    Disposition.INVALID_NUMBER: "called number not in service",
    Disposition.CALLER_ID_REJECTED: "caller ID not accepted",
    Disposition.TRUNK_MISCONFIGURED: "refused by the trunk: account or set-up",
    Disposition.NETWORK_FAILURE: "network failure",
    Disposition.MEDIA_INCOMPATIBLE: "no common audio format",
    Disposition.REDIRECTED: "redirected elsewhere",
    Disposition.CANCELLED: "cancelled",
    Disposition.TIMED_OUT: "timed out",
    Disposition.PROTOCOL_ERROR: "protocol error",
    Disposition.INCONCLUSIVE: "could not be tested",
}

DISPOSITION_TONE: Final = {
    Disposition.ANSWERED: Tone.GOOD,
    Disposition.ANALYTICS_BLOCKED: Tone.BAD,
    Disposition.SUBSCRIBER_BLOCKED: Tone.BAD,
    Disposition.PROVIDER_BLOCKED: Tone.BAD,
    Disposition.CALLER_ID_REJECTED: Tone.BAD,
    Disposition.ANALYTICS_SUSPECTED: Tone.DOUBT,
    Disposition.REJECTED_AMBIGUOUS: Tone.DOUBT,
    Disposition.INCONCLUSIVE: Tone.DOUBT,
}

ENDING_WORDS: Final = {
    Ending.ANSWERED: "answered",
    Ending.REFUSED: "refused",
    Ending.RING_LIMIT: "we cancelled at the ring limit",
    Ending.NO_RESPONSE: "nothing came back",
    Ending.STOPPED: "we stopped the call",
    Ending.AGENT_FAILED: "our own agent failed",
    Ending.LOST: "our own process died",
    Ending.GUARDED: "not placed, a guard rail refused",
}

# RFC 8606 and ATIS-1000099.
LOCATION_WORDS: Final = {
    "U": "the called party's own equipment",
    "LN": "the network that serves the caller",
    "TN": "a network in between",
    "RLN": "the network serving the called party",
    "LPN": "the caller's private network",
    "RPN": "the private network serving the called party",
    "INTL": "an international network",
    "BI": "a network beyond an interworking point",
}

NOTICE_WORDS: Final = {
    "603+": "blocked by call analytics (ATIS-1000099)",
    "607": "unwanted by the called party (RFC 8197)",
    "608": "rejected by call analytics on the way (RFC 8688)",
}
