"""The status of a receiver's answer in; nothing out when it took the event, else an error that says what follows.

As Standard Webhooks 1.0 suggests ("Delivery success and failure"): 2xx is taken; 410 disables the endpoint; everything
else, redirects and all other 4xx too, is a failure that the outbox tries again for some days. Only where another try
soon may help is it made in the same sitting.
"""

from probe.errors import ReceiverError

_TAKEN = range(200, 300)
_GONE = 410
_TRY_SOON = frozenset({408, 425, 429, *range(500, 600)})

_ADVICE: tuple[tuple[range, str], ...] = (
    (range(300, 400), ", a redirect, which is never followed; write the new address into the file"),
    (range(401, 402), "; give the receiver the same webhook.secret"),
    (range(403, 404), "; give the receiver the same webhook.secret"),
    (range(404, 406), "; check the path in webhook.url"),
    (range(410, 411), " (gone), so nothing more is sent there; `probe webhook replay` starts it again"),
    (range(413, 414), "; let the receiver take larger bodies"),
    (range(429, 430), ", too many requests; it is given time"),
)
_OTHER_ADVICE = "; look into the receiver's log"


class TrySoonError(ReceiverError):
    """Not taken, but another try in the same sitting may help."""


def read_answer(status: int, retry_after_s: float | None, name: str) -> None:
    """Raise ReceiverError unless the endpoint of that name took the event; `permanent` when it is gone."""
    if status in _TAKEN:
        return
    advice = next((words for statuses, words in _ADVICE if status in statuses), _OTHER_ADVICE)
    kind = TrySoonError if status in _TRY_SOON else ReceiverError
    message = f"webhook.url {name} answered {status}{advice}"
    raise kind(message, permanent=status == _GONE, retry_after_s=retry_after_s)
