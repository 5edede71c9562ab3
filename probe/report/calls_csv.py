"""Judged calls in, a table for spreadsheets out: one row a call, whatever the network wrote into it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from probe.judged import JudgedCall
from probe.report.csv_text import Cell, rows_to_csv

_NOTICE: Final = ("kind", "url", "tel", "email", "id", "location")


def calls_csv(calls: Iterable[JudgedCall]) -> str:
    """Write the header and the rows, in the order given; what is not known is an empty cell."""
    return rows_to_csv(tuple(_COLUMNS), ([cell(call) for cell in _COLUMNS.values()] for call in calls))


def _status(call: JudgedCall) -> int | None:
    return call.conversation.final.status if call.conversation.final else None


def _phrase(call: JudgedCall) -> str | None:
    return None if _status(call) is None or call.conversation.final is None else call.conversation.final.phrase


def _said(name: str) -> Callable[[JudgedCall], Cell]:
    """Make what reads one word of the notice."""
    return lambda call: getattr(call.notice, name) if call.notice else None


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


_COLUMNS: Final[dict[str, Callable[[JudgedCall], Cell]]] = {
    "id": lambda call: call.record.request.id,
    "started_at": lambda call: _utc(call.record.started_at),
    "caller": lambda call: call.record.request.caller,
    "callee": lambda call: call.record.request.callee,
    "network": lambda call: call.record.request.network,
    "trunk": lambda call: call.record.request.trunk,
    "ending": lambda call: call.record.ending.value,
    "status": _status,
    "phrase": _phrase,
    "disposition": lambda call: call.verdict.disposition.value,
    "confidence": lambda call: call.verdict.confidence.value,
    **{f"notice_{name}": _said(name) for name in _NOTICE},
    "alerting_ms": lambda call: _ms(call.conversation.timing.alerting_ms),
    "final_ms": lambda call: _ms(call.conversation.timing.final_ms),
    "talk_ms": lambda call: _ms(call.conversation.timing.talk_ms),
    "scenario": lambda call: call.record.request.scenario,
    "campaign": lambda call: call.record.request.campaign,
    "label": lambda call: call.record.request.label,
    "lead_source": lambda call: call.record.request.lead_source,
    "tags": lambda call: ";".join(call.record.request.tags) or None,
    "imported": lambda call: call.record.imported,
    "sip_call_id": lambda call: call.conversation.call_id,
}
