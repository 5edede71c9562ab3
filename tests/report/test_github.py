from placed import BLOCKED, answered, refused, unplaced

from probe.call import Ending
from probe.expectation import Expectation
from probe.report.github import annotations

ANSWERED = Expectation(any_of=frozenset({"answered"}))


def test_a_call_that_is_not_as_expected_is_an_error():
    [line] = annotations([refused(*BLOCKED, expect=ANSWERED)])
    title, _, message = line.removeprefix("::error title=").partition("::")
    assert "+12025550101 to +12025550191" == title
    assert "analytics_blocked, expected answered: 603 Network Blocked after 412 ms" == message


def test_a_call_that_could_not_be_tested_is_a_warning():
    [line] = annotations([unplaced(Ending.NO_RESPONSE, "silence", expect=ANSWERED)])
    assert line.startswith("::warning ")


def test_a_call_as_expected_says_nothing():
    assert [] == list(annotations([answered(expect=ANSWERED)]))


def test_what_the_network_says_is_no_command():
    [line] = annotations([refused("603 a%0A::error::b\x0a::error::c", expect=ANSWERED)])
    assert "\n" not in line
    assert 1 == line.count("::error ")
