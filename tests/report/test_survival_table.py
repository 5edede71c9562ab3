from placed import answered, refused, unplaced

from probe.call import Ending
from probe.expectation import Expectation
from probe.report.lines import as_text
from probe.report.survival import survival_sentences, survival_table, survived
from probe.scenario.scenario import Caller, Destination, Scenario, Sends
from probe.trunk import Trunk

REASON = 'SIP;cause=603;text="v=analytics1;url=https://example.com/r;id=probe-1";location=RLN'
CALLEE, OTHER = "+12025550191", "+12025550192"


def scenario():
    return Scenario(
        name="survival",
        path="survival.yaml",
        trunk=Trunk(name="carrier-a", host="192.0.2.1"),
        callers=(Caller(number="+12025550101"),),
        destinations=(
            Destination(number=CALLEE, consent="ours", sends=Sends(phrase="Network Blocked", reason=REASON)),
            Destination(number=OTHER, consent="ours"),
        ),
    )


def sent(phrase="Network Blocked", reason=REASON, **asked):
    return refused(f"603 {phrase}", f"Reason: {reason}", **asked)


def drawn(*calls, width=None):
    return as_text(survival_table(survived(scenario(), calls), width=width))


def test_only_far_ends_that_are_known_to_send_one_are_compared():
    assert () == survived(scenario(), [sent(callee=OTHER)])
    assert "" == drawn(answered(callee=OTHER))


def test_what_was_not_tested_is_not_compared():
    calls = [
        unplaced(Ending.NO_RESPONSE, "silent"),
        unplaced(Ending.GUARDED, "on no list"),
        unplaced(Ending.STOPPED, "by hand"),
    ]
    assert () == survived(scenario(), calls)


def test_an_answer_is_no_603_plus():
    (found,) = survived(scenario(), [answered()])
    assert found.is_finding


def test_a_damage_that_was_expected_is_no_finding():
    expected = Expectation(any_of=frozenset({"analytics_suspected"}))
    (silent,), (told,) = (survived(scenario(), [sent("Decline", expect=expect)]) for expect in (None, expected))
    assert (True, False) == (silent.is_finding, told.is_finding)


def test_each_trunk_has_its_sentence():
    calls = [sent(), sent("Decline"), sent("Decline", trunk="carrier-b"), sent(reason=REASON[:60], trunk="carrier-b")]
    assert (
        "carrier-a: 1 of 2 came back whole; damaged: phrase (1).",
        "carrier-b: 0 of 2 came back whole; damaged: phrase (1), Reason text (1), location (1), id (1).",
    ) == survival_sentences(survived(scenario(), calls))


def test_the_table_says_what_was_sent_and_what_came():
    rows = drawn(sent("Decline")).splitlines()
    assert "603+ survival" == rows[0]
    assert "trunk callee status phrase cause Reason text location id" == " ".join(rows[1].split())
    assert f"carrier-a {CALLEE} intact changed intact intact intact intact" == " ".join(rows[2].split())
    assert "phrase sent Network Blocked, came Decline" == " ".join(rows[3].split())


def test_where_several_caller_ids_called_each_row_says_which():
    rows = drawn(sent(), sent(caller="+12025550102")).splitlines()
    assert [["carrier-a", "+12025550101", CALLEE], ["carrier-a", "+12025550102", CALLEE]] == [
        row.split()[:3] for row in rows[2:4]
    ]


def test_nothing_from_the_network_moves_the_cursor_or_forges_a_row():
    hostile = "Net\x1b[2J\u202eblocked\u2028carrier-b  +12025550199  intact"
    text = drawn(sent(hostile, reason=REASON.replace("RLN", "R\x07N")))
    assert not set(text) & set("\x1b\x07\u202e\u2028")
    assert 1 == sum(line.startswith("carrier") and "callee" not in line for line in text.splitlines()[:4])


def test_on_a_narrow_terminal_long_texts_are_broken():
    text = drawn(sent(reason=REASON.replace("/r", "/" + "r" * 300)), width=80)
    differences = [line for line in text.splitlines() if not line.startswith(("carrier-a", "trunk"))]
    assert max(map(len, differences)) <= 80
