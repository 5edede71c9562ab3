"""The calls that the tests of this room draw."""

from datetime import timedelta
from pathlib import Path

from placed import BLOCKED, START, answered, refused, unplaced

from probe.call import Ending
from probe.expectation import Expectation

GOLDEN = Path(__file__).parent.parent / "data" / "report"
ANSWERED = Expectation(any_of=frozenset({"answered"}))
FLAWED = (
    "603 Network Blocked",
    'Reason: SIP;cause=603;text="v=analytics1;url=https://127.0.0.1/r;tel=+19005550100;id=b/7";location=TN',
)
HOSTILE = "\x1b[2J\x1b]8;;https://evil.example\x07[red]\u202e\x00\u200b\x9b1mDecline\x85"


def a_check():
    """Seven calls of a check: through, blocked on two networks, busy, declined, guarded, silent."""
    when = [START + timedelta(seconds=12 * number) for number in range(7)]
    blocked = {"caller": "+12025550102", "expect": ANSWERED}
    return [
        answered(at=when[0], id=call_id(0), expect=ANSWERED, scenario="daily"),
        refused(*BLOCKED, at=when[1], id=call_id(1), **blocked, scenario="daily"),
        refused(
            "486 Busy Here", at=when[2], id=call_id(2), callee="+12025550192", network="t-mobile", scenario="daily"
        ),
        refused(*BLOCKED, at=when[3], id=call_id(3), **blocked, network="t-mobile", scenario="daily"),
        refused("603 Decline", at=when[4], id=call_id(4), rang_ms=800, ms=4_100, caller="+12025550103"),
        unplaced(
            Ending.GUARDED,
            "+12025550193 stands on no destination list",
            at=when[5],
            id=call_id(5),
            callee="+12025550193",
            network=None,
        ),
        unplaced(Ending.NO_RESPONSE, "carrier-a sent nothing for 32 s", at=when[6], id=call_id(6), expect=ANSWERED),
    ]


def call_id(number):
    return f"0197f1c2-000{number}-7a00-8000-00000000000{number}"
