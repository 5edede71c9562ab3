"""What was heard of one call in, the `Case` that the rules look at out: everything that they ask, read once."""

from dataclasses import dataclass

from probe.call import Direction, Ending
from probe.sip.reason import Reason
from probe.sip.response import Response
from probe.sip.visible import visible
from probe.verdict.disposition import Finding
from probe.verdict.notice import Notice, read_notice
from probe.verdict.provider import ProviderError, find_errors, find_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard of one call; times in milliseconds from the INVITE, `talk_ms` from the 200 to the BYE.

    Without `ending` nothing is known of our own side, as when a response is read from a file. `bye_from` is the side
    that hung up. `cut` says that only the head of the response could be kept.
    """

    response: Response | None
    ending: Ending | None = None
    detail: str | None = None
    alerting_ms: float | None = None
    early_media_ms: float | None = None
    final_ms: float | None = None
    talk_ms: float | None = None
    provisional_seen: bool = False
    bye_reasons: tuple[Reason, ...] = ()
    bye_from: Direction | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What the rules look at. `status` is 0 without a readable response; `phrase` is visible text in lower case."""

    heard: Heard
    response: Response | None
    ending: Ending | None
    status: int
    phrase: str
    notice: Notice | None
    errors: tuple[ProviderError, ...]
    provider: Finding | None
    q850: Reason | None
    stir: Reason | None

    @property
    def rang(self) -> bool:
        """Say whether the phone rang, or early media was heard."""
        return self.heard.alerting_ms is not None or self.heard.early_media_ms is not None

    @property
    def ringing_ms(self) -> float | None:
        """The time from the first 180 to the final response."""
        if self.heard.alerting_ms is None or self.heard.final_ms is None:
            return None
        return self.heard.final_ms - self.heard.alerting_ms

    @property
    def timed(self) -> bool:
        """Say whether anything is known of the timing."""
        return self.heard.final_ms is not None or self.rang

    def header(self, name: str) -> str | None:
        """Give the first value of a header field of the response."""
        return self.response.header(name) if self.response else None


def look_at(heard: Heard) -> Case:
    """Read once what all rules need."""
    response = heard.response
    errors = find_errors(response) if response else ()
    return Case(
        heard,
        response,
        heard.ending,
        (response.status or 0) if response else 0,
        " ".join(visible(response.phrase).split()).lower() if response else "",
        read_notice(response) if response else None,
        errors,
        find_provider(response, errors) if response else None,
        _first(response, "q.850"),
        _first(response, "stir"),
    )


def _first(response: Response | None, protocol: str) -> Reason | None:
    for reason in response.reasons if response else ():
        if reason.protocol.lower() == protocol:
            return reason
    return None
