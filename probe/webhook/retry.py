"""Failed tries in, the moment of the next one out."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Standard Webhooks, "Deliverability and reliability": the delay after the first failed sitting, the second, ...
RETRY_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)

# A receiver may slow us down, but not silence us for longer than the table's longest step.
_LONGEST_S = RETRY_DELAYS[-1].total_seconds()
_JITTER = 0.1


def find_next_try(attempts: int, now: datetime, chance: float, retry_after_s: float | None = None) -> datetime | None:
    """Say when to try again after so many failed sittings; None when the table is at its end.

    `chance`, from 0 to 1, spreads the tries over a tenth of the delay. `retry_after_s` can only make it longer.
    """
    if attempts > len(RETRY_DELAYS):
        return None
    delay = RETRY_DELAYS[attempts - 1] * (1 + _JITTER * chance)
    return now + max(delay, timedelta(seconds=retry_after_s or 0))


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110 s10.2.3), seconds or a date, into seconds from now, at most a day."""
    if value is None:
        return None
    seconds = _read_seconds(value.strip(), now)
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_S)


def _read_seconds(value: str, now: datetime) -> float | None:
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year of eleven digits is no date, either
        return None
    # An HTTP date is in GMT; one that names no zone comes back naive.
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
