"""A store in which one caller ID is blocked on one network, one gets through, and one was called once."""

from datetime import timedelta

from placed import BLOCKED, START, answered, refused

from probe.store import open_store

BAD, GOOD, NEW = "+12025550101", "+12025550102", "+12025550103"


def fill(url):
    """Write the calls, one an hour."""
    store = open_store(url)
    for judged in _calls():
        store.begin(judged.record.request, judged.record.started_at)
        store.finish(judged)
    store.close()


def _calls():
    for hour in range(12):
        at = START + timedelta(hours=hour)
        bad = {"caller": BAD, "label": "Support", "campaign": "care"}
        yield refused(*BLOCKED, at=at, network="verizon", **_named("b", hour), **bad)
        yield answered(at=at, network="att", callee="+12025550192", **_named("a", hour), **bad)
        yield answered(at=at, network="verizon", caller=GOOD, **_named("g", hour))
        yield answered(at=at, network="att", caller=GOOD, callee="+12025550192", **_named("h", hour))
    yield answered(at=START, network="att", caller=NEW, **_named("n", 0))


def _named(letter, number):
    return {"id": f"{letter}{number}", "plan_key": f"{letter}{number}"}
