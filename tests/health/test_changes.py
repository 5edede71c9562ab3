from datetime import timedelta

from placed import BLOCKED, START, answered, refused

from probe.health import Accounts, State, observe
from probe.health.changes import changes, reminders, turned

CALLER = "+12025550101"


def accounts_of(calls):
    accounts = Accounts()
    for number, (kind, *words, network) in enumerate(calls):
        judged = kind(*words, id=f"{network}-{number}", at=START + number * timedelta(minutes=1), network=network)
        accounts.add(observe(judged))
    return accounts


def standings(accounts):
    return {key: one.standing() for key, one in accounts.opened.items()}


def blocks(count, network):
    return [(refused, *BLOCKED, network)] * count


def test_where_no_state_turned_nothing_changed():
    before, after = accounts_of(blocks(9, "verizon")), accounts_of(blocks(10, "verizon"))
    assert frozenset() == turned(standings(before), after)
    assert () == changes(standings(before), after)


def test_a_number_never_called_before_has_no_standing_before():
    found = changes({}, accounts_of(blocks(9, "verizon")))
    assert [("verizon", None), (None, None)] == [(one.after.network, one.before) for one in found]


def test_what_was_left_alone_counts_for_the_whole():
    """Verizon blocks already: that t-mobile begins to changes nothing as a whole."""
    others = [one.standing() for key, one in accounts_of(blocks(9, "verizon")).opened.items() if key[1]]
    whole_before = accounts_of(blocks(9, "verizon")).opened[CALLER, None].standing()
    after = accounts_of([*blocks(9, "verizon"), *blocks(9, "t-mobile")])
    del after.opened[CALLER, "verizon"]
    (found,) = changes({(CALLER, None): whole_before}, after, others)
    assert ("t-mobile", State.BLOCKED) == (found.after.network, found.after.standing)


def test_a_reminder_of_several_networks_names_calls_of_each():
    mixed = [call for pair in zip(blocks(30, "verizon"), blocks(30, "t-mobile"), strict=True) for call in pair]
    found = {one.after.network: one for one in reminders(accounts_of([*mixed, *[(answered, "att")] * 40]))}
    assert {"verizon", "t-mobile", None} == set(found)
    assert {"verizon": 10, "t-mobile": 10} == {
        name: sum(call.startswith(name) for call in found[None].calls) for name in ("verizon", "t-mobile")
    }
    assert 20 == len(found["verizon"].calls)
    assert all(one.reminder and one.before == one.after for one in found.values())
