"""The book of redress on a terminal and in a pipe, and what to do next about a case."""

import re
from datetime import timedelta

import pytest
from placed import BLOCKED, START, refused

from probe.health import Accounts, observe
from probe.health.redress import Stage, Step, noted, seen
from probe.report.lines import as_text
from probe.report.redress_book import book_table, case_page, case_steps
from report.samples import FLAWED, HOSTILE

ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def call(*lines, **more):
    return observe(refused(*(lines or BLOCKED), **more))


def case_of(stage=Stage.OPEN):
    case = seen(None, call())
    if stage is not Stage.OPEN:
        case = noted(case, Step.CLEARED if stage is Stage.BACK else Step(stage), START + timedelta(days=1))
    return seen(case, call(at=START + timedelta(days=2))) if stage is Stage.BACK else case


def standings_of(*calls):
    accounts = Accounts()
    for one in calls:
        accounts.add(one)
    return accounts.standings()


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage.OPEN, "probe redress +12025550101 --blocker redress.example.com -o DIR"),
        (Stage.ASKED, "by 24 Nov 2026, 10:00 UTC, 24 hours after you asked"),
        (Stage.ANSWERED, "--blocker redress.example.com --cleared"),
        (Stage.CLEARED, "Nothing to do."),
        (Stage.BACK, "It was cleared on 23 Nov 2026, 10:00 UTC and blocks again since 24 Nov 2026, 10:00 UTC"),
    ],
)
def test_every_stage_says_what_to_do_next(stage, words):
    steps = case_steps(case_of(stage), ())
    assert words in " ".join(steps)
    assert "{" not in " ".join(steps)


def test_a_clean_retest_proposes_to_close_the_case():
    through = [observe(refused("486 Busy Here", at=START + timedelta(hours=n), ms=9_000)) for n in range(1, 60)]
    steps = case_steps(case_of(Stage.ASKED), standings_of(call(), *through))
    assert 1 == len(steps)
    assert "close the case: probe redress +12025550101 --blocker redress.example.com --cleared" in steps[0]


def test_a_blocker_with_a_name_that_a_shell_reads_is_quoted():
    odd = seen(None, call("603 Network Blocked", 'Reason: SIP;cause=603;text="v=analytics1;url=https://a$(b)/"'))
    assert "--blocker 'a$(b)' -o DIR" in case_steps(odd, ())[0]


def test_the_book_is_a_row_a_case():
    table = as_text(book_table([case_of(), case_of(Stage.BACK)]))
    assert (
        "caller        redress  blocked  first (UTC)       last (UTC)        blocker              networks\n"
        "+12025550101  open     1 call   2026-11-22 10:00  2026-11-22 10:00  redress.example.com  verizon\n"
        "+12025550101  back     2 calls  2026-11-22 10:00  2026-11-24 10:00  redress.example.com  verizon\n"
    ) == table


def test_a_case_is_told_with_its_contacts_and_what_is_wrong_with_them():
    flawed = seen(None, call(*FLAWED))
    page = as_text(case_page(flawed, standings_of(*[call()] * 5), ["Ask."], width=None))
    assert page.startswith("+12025550101 blocked by 127.0.0.1: open\n")
    assert "  url          https://127.0.0.1/r  [do not open it: no safe public https address]\n" in page
    assert "  tel          +19005550100  [do not call it: it costs a premium]\n" in page
    assert "  verizon      blocked, 5 of 5 judged calls blocked\n" in page
    assert page.endswith("Next steps\n  1. Ask.\n\n")


@pytest.mark.parametrize("width", [None, 80])
def test_hostile_text_does_not_act(width):
    text = f"v=analytics1;url=https://{HOSTILE}/;tel={HOSTILE};email={HOSTILE};id={HOSTILE}"
    evil = call("603 Network Blocked", f'Reason: SIP;cause=603;text="{text}";location={HOSTILE}', network=HOSTILE)
    case = seen(None, evil)
    page = [*case_page(case, standings_of(evil), case_steps(case, ()), width=width), *book_table([case])]
    assert None is ACTS.search(as_text(page))
