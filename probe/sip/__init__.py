"""The wire: bytes of SIP messages in; responses, Reasons, a call's conversation and its ladder out. Pure."""

from probe.sip.conversation import Conversation, Provisional, Timing, read_conversation
from probe.sip.ladder import Arrow, ladder
from probe.sip.reason import Reason
from probe.sip.request import Request, read_request
from probe.sip.response import Response, read_response
from probe.sip.visible import has_control, visible

__all__ = [
    "Arrow",
    "Conversation",
    "Provisional",
    "Reason",
    "Request",
    "Response",
    "Timing",
    "has_control",
    "ladder",
    "read_conversation",
    "read_request",
    "read_response",
    "visible",
]
