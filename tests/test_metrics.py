"""What the daemon shows over HTTP: figures without a phone number, and whether it is well."""

import re
import socket
import urllib.error
import urllib.request

import pytest
from placed import BLOCKED, answered, refused, request, unplaced

from probe.call import Ending
from probe.cli.arguments import parser
from probe.errors import ScenarioError
from probe.metrics import Metrics, serve


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def get(metrics):
    """Ask a server whose health is what `wrong` holds."""
    wrong = []
    server = serve(metrics, "127.0.0.1", 0, lambda: wrong[0] if wrong else None)

    def ask(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    ask.wrong = wrong
    yield ask
    server.shutdown()
    server.server_close()


def value(page, name, **labels):
    """The value of one sample."""
    for line in page.splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")).items():
            return float(found[2])
    raise AssertionError(f"{name} {labels} is not in\n{page}")


def test_calls_are_counted_by_how_they_ended_and_what_that_means(metrics, get):
    metrics.count_call(answered(scenario="nightly"))
    metrics.count_call(refused(*BLOCKED, scenario="nightly"))
    page = get("/metrics")[1]
    blocked = {"scenario": "nightly", "trunk": "carrier-a", "network": "verizon", "ending": "refused"}
    assert 1 == value(page, "probe_calls_total", disposition="analytics_blocked", **blocked)
    assert 1 == value(page, "probe_calls_total", disposition="answered", ending="answered")
    assert 2 == value(page, "probe_final_seconds_count", scenario="nightly", network="verizon")
    assert 1 == value(page, "probe_final_seconds_bucket", le="0.5")


def test_a_refusal_has_its_rule_as_a_label_and_is_no_call(metrics, get):
    metrics.count_call(unplaced(Ending.GUARDED, "per_caller: +12025550101 has had its 1/1m.", scenario="nightly"))
    metrics.count_refusal("nightly", "stop_file")
    page = get("/metrics")[1]
    assert 1 == value(page, "probe_refusals_total", scenario="nightly", rule="per_caller")
    assert 1 == value(page, "probe_refusals_total", scenario="nightly", rule="stop_file")
    assert "probe_calls_total{" not in page


def test_rounds_troubles_and_deliveries_are_counted(metrics, get):
    metrics.count_round("nightly", "missed")
    metrics.count_trouble("tick_missed")
    metrics.count_deliveries("https://hooks.example.com/", 3, 1)
    page = get("/metrics")[1]
    assert 1 == value(page, "probe_rounds_total", scenario="nightly", state="missed")
    assert 1 == value(page, "probe_troubles_total", kind="tick_missed")
    assert 3 == value(page, "probe_deliveries_total", result="taken")
    assert 1 == value(page, "probe_deliveries_total", result="failed")


def test_no_phone_number_stands_on_the_page(metrics, get):
    asked = request(scenario="nightly")
    for judged in (answered(), refused(*BLOCKED), unplaced(Ending.GUARDED, f"paused_number: {asked.callee} is paused")):
        metrics.count_call(judged)
    page = get("/metrics")[1]
    assert asked.caller[1:] not in page
    assert asked.callee[1:] not in page
    assert re.search(r"\+?[0-9]{8,}(?![0-9.e])", re.sub(r"(?m)^#.*| \S+$", "", page)) is None


def test_health_gives_its_reason(get):
    assert (200, "ok\n") == get("/healthz")
    get.wrong.append("no tick for 20 s")
    assert (503, "no tick for 20 s\n") == get("/healthz")
    assert 404 == get("/")[0]


def test_an_address_that_is_taken_is_said_in_one_sentence(metrics):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ScenarioError, match=rf"^--http: cannot listen on 127\.0\.0\.1:{port}: .*\.$"):
            serve(metrics, "127.0.0.1", port, lambda: None)


def test_it_listens_on_ipv6_too(metrics):
    server = serve(metrics, "::1", 0, lambda: None)
    with urllib.request.urlopen(f"http://[::1]:{server.server_port}/healthz", timeout=5) as answer:
        assert 200 == answer.status
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("address", "heard"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_it_listens_on_loopback_unless_said_otherwise(metrics, address, heard):
    default = parser().parse_args(["run", "watch.yaml"]).http
    assert "127.0.0.1" == default.rpartition(":")[0]
    server = serve(metrics, address, 0, lambda: None)
    # Another address of this machine stands for the one that others reach it by.
    with socket.socket() as other:
        assert heard is (other.connect_ex(("127.0.0.2", server.server_port)) == 0)
    server.shutdown()
    server.server_close()
