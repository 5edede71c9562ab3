"""Attempts as the store gives them, for the tests of plan and guard."""

from datetime import UTC, datetime, timedelta
from itertools import count

from probe.scenario.history import Attempt

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # a Friday, noon in New York
CALLER, OTHER = "+12025550101", "+12025550102"
CALLEE, ELSEWHERE = "+12025550191", "+12025550192"
TRUNK = "carrier-a"

_numbers = count(1)


def attempt(at: datetime, caller: str = CALLER, callee: str = CALLEE, **known: object) -> Attempt:
    """A call that was placed then and answered, with whatever the test says of it."""
    number = next(_numbers)
    facts: dict[str, object] = {
        "call_id": f"call-{number}",
        "plan_key": f"key-{number}",
        "trunk": TRUNK,
        "at": at,
        "caller": caller,
        "callee": callee,
        "ended_at": at + timedelta(seconds=10),
        "ending": "answered",
        "disposition": "answered",
        "status": 200,
    }
    return Attempt(**facts | known)


def ago(**span: float) -> datetime:
    return NOON - timedelta(**span)


def under_way(at: datetime, caller: str = CALLER, callee: str = CALLEE, **known: object) -> Attempt:
    """A call that has not ended, as far as the store knows."""
    nothing = {"ended_at": None, "ending": None, "disposition": None, "status": None}
    return attempt(at, caller, callee, **nothing | known)
