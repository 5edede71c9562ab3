"""One final response and what it means in, the page of `probe explain` out."""

from probe.report.lines import Line, line
from probe.report.opinion import (
    because_section,
    fact,
    notice_section,
    reason_facts,
    steps_section,
    verdict_title,
)
from probe.sip import Response
from probe.verdict import Notice, Verdict


def explain(response: Response, notice: Notice | None, verdict: Verdict, *, width: int | None) -> tuple[Line, ...]:
    """Draw what a response says, what it means, and what to do. `width` None is a pipe."""
    status = "no status line could be read" if response.status is None else f"{response.status} {response.phrase}"
    flaws = fact("flaws", ", ".join(response.flaws), width=width) if response.flaws else []
    return (
        line(verdict_title(verdict)),
        *fact("response", status, width=width),
        *reason_facts(response.reasons, width=width),
        *flaws,
        *because_section(verdict, width=width),
        *notice_section(notice, width=width),
        *steps_section(verdict, notice, width=width),
    )
