import pytest

from probe.sip import read_response
from probe.verdict import Confidence, Disposition, Heard, Verdict, judge, next_steps, read_notice


def steps_of(line: str, headers: str = "") -> str:
    response = read_response(f"SIP/2.0 {line}\r\n{headers}\r\n".encode())
    return "\n".join(next_steps(judge(Heard(response=response)), read_notice(response)))


def plus(text: str) -> str:
    return f'Reason: SIP;cause=603;text="v=analytics1;{text}";location=RLN\r\n'


@pytest.mark.parametrize("disposition", Disposition)
def test_every_disposition_has_next_steps(disposition):
    verdict = Verdict(disposition=disposition, confidence=Confidence.WEAK, because=(), flags=(), notice=None)
    steps = next_steps(verdict, None)
    assert steps
    assert all(step.endswith((".", "?")) for step in steps)


@pytest.mark.parametrize(
    ("line", "headers"),
    [("603 Network Blocked", plus("url=https://example.com/r")), ("608 Rejected", ""), ("603 Network Blocked", "")],
)
def test_a_blocked_number_is_not_called_again(line, headers):
    assert "Do not call this number again" in steps_of(line, headers)


def test_redress_names_what_the_blocker_needs_and_its_contact():
    steps = steps_of("603 Network Blocked", plus("url=https://example.com/r;id=77"))
    for words in ("Call-ID", "both numbers", "https://example.com/r", "check whom it belongs to", "reference: 77"):
        assert words in steps


def test_an_unsafe_contact_is_called_unsafe():
    assert "not safe" in steps_of("603 Network Blocked", plus("url=http://example.com/r"))
    assert "not safe" not in steps_of("603 Network Blocked", plus("url=https://example.com/r"))


def test_an_unwanted_caller_is_told_to_stop():
    assert "take this number off your list" in steps_of("607 Unwanted")


def test_a_plain_603_asks_for_a_control_call():
    assert "control call" in steps_of("603 Decline")


def test_an_account_is_checked_first():
    assert "balance" in steps_of("403 Insufficient Balance")


def test_a_time_to_wait_is_kept():
    assert "before the time" in steps_of("503 Service Unavailable", "Retry-After: 30\r\n")


def test_a_step_is_said_once():
    steps = steps_of("503 Service Unavailable").split("\n")
    assert len(set(steps)) == len(steps)
