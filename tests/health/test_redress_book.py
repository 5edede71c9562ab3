"""The book of redress: what each blocker did to a caller ID, and how far redress has come."""

import string
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from placed import BLOCKED, START, answered, refused

from probe.health import Accounts, Contacts, Observation, State, observe
from probe.health.redress import Case, Stage, Step, blocker_of, book, may_close, noted, opens_case, seen

CARD = "Call-Info: <https://card.example.net/jws>;purpose=jwscard"


def day(number: float):
    return START + timedelta(days=number)


def block(at: float = 0, **more: object) -> Observation:
    found = observe(refused(*BLOCKED, at=day(at), **more))
    assert found
    return found


def opened(at: float = 0) -> Case:
    case = seen(None, block(at))
    assert case
    return case


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("redress.example.com", "https://redress.example.com/r?x=1#y"),
        ("redress.example.com", "HTTPS://Redress.EXAMPLE.com./r"),
        ("redress.example.com", "https://redress.example.com:8443/r"),
        ("redress.example.com", "https://redress.example.com?x"),
        ("redress.example.com", "http:\\\\redress.example.com\\r"),
        ("redress.example.com", "https:/redress.example.com/r"),
        ("redress.example.com", "//redress.example.com"),
        ("redress.example.com", "redress.example.com/r"),
        ("redress.example.com", "redress.example.com:443/r"),
        ("redress.example.com", "  https://redress.example.com /r"),
        ("evil.example", "https://bank.example@evil.example/"),
        ("evil.example", "https://bank.example:443@more@evil.example:1/"),
        ("localhost", "https://localhost:1/"),
        ("192.0.2.1", "https://192.0.2.1/r"),
        ("[2001:db8::1]", "https://[2001:DB8::1]:8443/r"),
        ("[2001:db8::1]", "https://[2001:db8::1"),
        ("a%0D%0Ab.example", "https://a\r\nb.example/"),
        ("a%00%22%3Cb%3E.example", 'https://a\0"<b>.example/'),
        ("%D0%BF.example", "https://п.example/"),
        ("a%5Cudc80.example", "https://a\udc80.example/"),
    ],
)
def test_a_blocker_goes_by_the_host_of_its_url(name, url):
    assert name == blocker_of(Contacts(url=url, tel="+12025550142", email="r@mail.example"))


@pytest.mark.parametrize("url", [None, "", "unknown", "https://", "javascript:alert(1)", "https://:443/", "see letter"])
def test_without_a_host_it_goes_by_its_number_then_by_its_mail_domain_then_by_its_card(url):
    card = "https://card.example.net/jws"
    assert "+12025550142" == blocker_of(Contacts(url=url, tel="tel:+1 (202) 555-0142", email="r@mail.example"))
    assert "202-CALL" == blocker_of(Contacts(url=url, tel="202-CALL"))
    assert "mail.example" == blocker_of(Contacts(url=url, email="R@Mail.EXAMPLE", call_info=card))
    assert "card.example.net" == blocker_of(Contacts(url=url, call_info=card))
    assert "unnamed" == blocker_of(Contacts(url=url, location="RLN"))


texts = st.none() | st.text(st.characters() | st.sampled_from("/\\:@[]?#. \r\n\0"), max_size=400)


@given(url=texts, tel=texts, email=texts, card=texts)
def test_whatever_a_notice_says_the_name_is_short_visible_ascii_and_no_path(url, tel, email, card):
    name = blocker_of(Contacts(url=url, tel=tel, email=email, call_info=card))
    assert 1 <= len(name) <= 253
    assert set(name) <= set(string.ascii_letters + string.digits + "!$%&'()*+,;=:@[]._~-")


def test_the_first_notice_opens_a_case_and_each_further_one_is_counted():
    case = seen(seen(None, block(0)), block(2, network="att"))
    assert Contacts(url="https://redress.example.com/r", tel="+12025550142", id="blk-0001", location="RLN") == getattr(
        case, "contacts", None
    )
    assert ("+12025550101", "redress.example.com", 2) == (case.caller, case.blocker, case.count)
    assert (day(0), day(2), ("att", "verizon")) == (case.first_seen, case.last_seen, case.networks)
    assert Stage.OPEN is case.stage


def test_a_call_that_got_through_changes_nothing():
    through = observe(answered())
    assert None is seen(None, through)
    assert opened() == seen(opened(), through)


def test_a_called_party_that_wants_no_calls_is_no_case_for_a_desk():
    unwanted = observe(refused("607 Unwanted"))
    assert unwanted.contacts is not None
    assert not opens_case(unwanted)
    assert None is seen(None, unwanted)
    assert () == book([unwanted], [])


def test_a_608_goes_by_the_host_of_its_card():
    rejected = observe(refused("608 Rejected", CARD))
    assert "card.example.net" == seen(None, rejected).blocker


def test_the_contacts_are_those_of_the_last_notice_however_late_an_older_one_comes():
    older = block(-1)._replace(contacts=Contacts(url="https://redress.example.com/old"))
    newer = block(1)._replace(contacts=Contacts(url="https://redress.example.com/new"))
    assert "https://redress.example.com/r" == seen(opened(), older).contacts.url
    assert "https://redress.example.com/new" == seen(opened(), newer).contacts.url


def test_a_case_goes_from_open_to_cleared():
    case, stages = opened(), [Stage.OPEN]
    for number, step in enumerate(Step, start=1):
        case = noted(case, step, day(number))
        stages.append(case.stage)
    assert [Stage.OPEN, Stage.ASKED, Stage.ANSWERED, Stage.CLEARED] == stages
    assert (day(1), day(2), day(3)) == (case.asked_at, case.answered_at, case.cleared_at)


def test_a_block_after_it_was_cleared_brings_it_back():
    cleared = noted(opened(), Step.CLEARED, day(1))
    assert Stage.CLEARED is seen(cleared, block(0.5)).stage
    back = seen(seen(cleared, block(3)), block(2))
    assert (Stage.BACK, day(2)) == (back.stage, back.back_at)
    assert day(2) == seen(back, block(4)).back_at


def test_to_ask_anew_opens_a_case_that_is_back():
    back = seen(noted(opened(), Step.CLEARED, day(1)), block(2))
    asked = noted(back, Step.ASKED, day(3))
    assert (Stage.ASKED, None, None) == (asked.stage, asked.cleared_at, asked.back_at)
    assert Stage.ASKED is seen(asked, block(4)).stage
    assert Stage.ANSWERED is noted(back, Step.ANSWERED, day(3)).stage
    assert Stage.CLEARED is noted(back, Step.CLEARED, day(3)).stage


def test_a_late_answer_does_not_open_a_case_that_was_cleared():
    cleared = noted(opened(), Step.CLEARED, day(1))
    assert Stage.CLEARED is noted(cleared, Step.ANSWERED, day(2)).stage


def test_calls_may_come_in_any_order():
    calls = [block(0), block(2), block(3, network="att"), block(5, network=None)]
    kept = noted(opened(), Step.CLEARED, day(1))
    books = {book(order, [kept]) for order in permutations(calls)}
    assert 1 == len(books)
    (case,) = books.pop()
    assert (Stage.BACK, day(2), day(0), day(5), 4) == (
        case.stage, case.back_at, case.first_seen, case.last_seen, case.count,
    )  # fmt: skip


def test_what_was_made_again_is_what_was_added_call_by_call():
    calls = [block(number) for number in range(6)]
    case = None
    for call in calls[:3]:
        case = seen(case, call)
    case = noted(noted(case, Step.ASKED, day(2.2)), Step.CLEARED, day(2.5))
    for call in calls[3:]:
        case = seen(case, call)
    assert (case,) == book(calls, [case])
    assert (case,) == book(calls, [replace(case, back_at=None, count=99)])


def test_what_a_person_noted_is_kept_though_the_calls_are_gone():
    asked, untouched = noted(opened(), Step.ASKED, day(1)), replace(opened(), blocker="other.example")
    assert (asked,) == book([], [asked, untouched])


def test_each_blocker_has_a_case_of_its_own():
    other = block(1)._replace(contacts=Contacts(email="redress@mail.example"))
    assert ["redress.example.com", "mail.example"] == [case.blocker for case in book([block(0), other], [])]


def standing(network: str | None = "verizon", **more: object):
    accounts = Accounts()
    accounts.add(block(0, network=network))
    found = next(one for one in accounts.standings() if one.network == network)
    return replace(found, standing=State.CLEAN, last_call_at=day(9), **more)


def test_a_case_may_be_closed_when_calls_get_through_wherever_it_blocked():
    both = seen(opened(), block(1, network="att"))
    assert may_close(opened(), [standing()])
    assert may_close(both, [standing(), standing("att")])
    assert not may_close(both, [standing()])
    assert not may_close(opened(), [])
    assert may_close(replace(opened(), networks=()), [standing(None)])


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLEAN])
def test_a_case_is_not_closed_by_a_standing_that_is_not_clean(state):
    assert not may_close(opened(), [replace(standing(), standing=state)])


def test_a_case_is_not_closed_by_calls_before_its_last_block_nor_by_those_of_another_number():
    assert not may_close(opened(9), [standing()])
    assert not may_close(opened(), [replace(standing(), caller="+12025550109")])


def test_what_is_cleared_is_not_cleared_again():
    assert not may_close(noted(opened(), Step.CLEARED, day(1)), [standing()])
    assert may_close(seen(noted(opened(), Step.CLEARED, day(1)), block(2)), [standing()])
