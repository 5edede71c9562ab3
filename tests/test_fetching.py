"""The guarded HTTP client against real servers on loopback, and the table of addresses that nobody may lead us to."""

import asyncio
import gzip
import os
import socket
import threading
import time
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from signed_cards import certify, serving, web_holder

from probe.fetching import LARGEST, FetchError, NoAnswerError, NotAllowedError, Reach, fetch, is_public, open_client

AUTHORITY = certify("web root", ca=True, at=datetime.now(UTC))
NAME = "card.example.com"
HERE = Reach(networks=(ip_network("127.0.0.0/8"),))


@pytest.fixture
def web(tmp_path, monkeypatch):
    """An https server whose authority this process trusts."""
    (tmp_path / "authority.pem").write_bytes(AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with serving(web_holder(AUTHORITY, NAME, "127.0.0.1"), tmp_path) as web:
        yield web


@pytest.fixture
def names(monkeypatch):
    """What names resolve to, one list of addresses for each time that they are asked for; and how often that was."""
    answers, asked, real = {}, [], socket.getaddrinfo

    def resolve(host, port, *rest, **more):
        if host not in answers:
            return real(host, port, *rest, **more)
        asked.append(host)
        turns = answers[host]
        found = turns.pop(0) if len(turns) > 1 else turns[0]
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ip_address(one).version], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answers["asked"] = asked
    return answers


def get(url, reach=HERE, within_s=5.0):
    return asyncio.run(fetch(url, reach, within_s=within_s))


def refusal(url, reach=HERE, within_s=5.0, kind=NotAllowedError):
    with pytest.raises(FetchError) as caught:
        get(url, reach, within_s)
    assert kind is type(caught.value)
    return str(caught.value)


PRIVATE = (
    "127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 "
    "169.254.169.254 169.254.0.1 100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.1 192.0.0.192 192.0.2.1 "
    "192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 "
    "255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:7f00:1 ::127.0.0.1 "
    "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 2002:a00:1::1 "
    "3fff::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1 5f00::1 4000::1 "
)
PUBLIC = (
    "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.32.0.1 192.0.1.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"
)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_no_address_of_this_machine_or_its_network_is_public(address):
    assert not is_public(ip_address(address))
    assert not Reach().allows(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_an_address_of_the_internet_is_public(address):
    assert is_public(ip_address(address))


def test_a_file_may_name_private_networks_and_gets_no_other():
    reach = Reach(networks=(ip_network("10.1.2.0/24"), ip_network("fd00::/16")))
    assert reach.allows(ip_address("10.1.2.3"))
    assert reach.allows(ip_address("::ffff:10.1.2.3"))
    assert reach.allows(ip_address("fd00::7"))
    assert not reach.allows(ip_address("10.1.3.3"))
    assert not reach.allows(ip_address("127.0.0.1"))
    assert Reach(loopback=True).allows(ip_address("::1"))
    assert not Reach(loopback=True).allows(ip_address("10.1.2.3"))


def test_a_page_is_fetched_by_its_name_from_the_address_that_was_checked(web, names):
    names[NAME] = [["127.0.0.1"]]
    web.pages["/jws"] = b"a card"
    assert b"a card" == get(f"https://{NAME}:{web.port}/jws")
    assert [("/jws", f"{NAME}:{web.port}")] == web.asked
    assert [NAME] == web.names


def test_a_name_that_answers_differently_the_second_time_gains_nothing(web, names, tmp_path):
    names[NAME] = [["127.0.0.2"], ["127.0.0.1"]]
    only = Reach(networks=(ip_network("127.0.0.2/32"),))
    with serving(web_holder(AUTHORITY, NAME), tmp_path, "127.0.0.2", web.port) as checked:
        checked.pages["/jws"] = b"from the checked address"
        assert b"from the checked address" == get(f"https://{NAME}:{web.port}/jws", only)
        assert [NAME] == names["asked"]
        assert "it leads to 127.0.0.1, which is no public address" == refusal(f"https://{NAME}:{web.port}/jws", only)
    assert [] == web.asked


def test_of_several_addresses_only_those_are_asked_that_may_be(web, names):
    names[NAME] = [["127.0.0.1", "127.0.0.9"]]
    web.pages["/jws"] = b"a card"
    other = Reach(networks=(ip_network("127.0.0.9/32"),))
    assert "no connection" in refusal(f"https://{NAME}:{web.port}/jws", other, kind=NoAnswerError)
    assert [] == web.asked
    names[NAME] = [["127.0.0.9", "127.0.0.1"]]
    assert b"a card" == get(f"https://{NAME}:{web.port}/jws")


def test_the_certificate_is_held_against_the_name_and_not_the_address(web, names):
    names["other.example.com"] = [["127.0.0.1"]]
    why = refusal(f"https://other.example.com:{web.port}/jws", kind=NoAnswerError)
    assert "certificate is not valid for 'other.example.com'" in why
    assert [] == web.asked


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path):
    with serving(web_holder(AUTHORITY, "127.0.0.1"), tmp_path) as web:
        assert "certificate verify failed" in refusal(f"https://127.0.0.1:{web.port}/jws", kind=NoAnswerError)
    assert [] == web.asked


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "LOCALHOST.", "[::1]", "0"]
)
def test_this_machine_is_reached_under_no_name_unless_allowed(web, host):
    assert "no public address" in refusal(f"https://{host}:{web.port}/jws", Reach())
    assert [] == web.asked


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/jws",
        "HTTP://example.com/jws",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://127.0.0.1:25/x",
        "data:text/plain,x",
        "//example.com/x",
        "example.com",
        "",
        "https://",
        "https:///x",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Injected: 1",
        "https://example.com:port/",
        "https://[::1/",
        "https://0177.0.0.1/",
    ],
)
def test_what_is_no_https_address_is_not_asked(url):
    assert refusal(url, Reach()).startswith("it ")


def test_what_is_sent_in_the_clear_stays_on_this_machine(tmp_path, names):
    both = Reach(networks=(ip_network("10.0.0.0/8"),), loopback=True)
    with serving(None, tmp_path) as web:
        web.pages["/jws"] = b"a card"
        assert b"a card" == get(f"http://127.0.0.1:{web.port}/jws", both)
        assert "it is no https address" == refusal(f"http://127.0.0.1:{web.port}/jws", HERE)
    names["localhost"] = [["10.1.2.3"]]
    assert "it leads to 10.1.2.3, which is no public address" == refusal("http://localhost/jws", both)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(web, status):
    web.pages["/jws"] = (status, {"location": f"https://127.0.0.1:{web.port}/elsewhere"}, b"")
    assert f"it answered {status}, a redirect" in refusal(f"https://127.0.0.1:{web.port}/jws")
    assert ["/jws"] == web.paths


def test_what_is_not_there_is_no_answer(web):
    assert "it answered 404" == refusal(f"https://127.0.0.1:{web.port}/jws", kind=NoAnswerError)


def test_an_answer_of_64_kib_is_taken_and_no_larger_one(web):
    web.pages |= {"/fits": b"x" * LARGEST, "/more": b"x" * (LARGEST + 1)}
    assert LARGEST == len(get(f"https://127.0.0.1:{web.port}/fits"))
    assert "the answer is larger than 64 KiB" == refusal(f"https://127.0.0.1:{web.port}/more")


def flood(handler):
    """Never stop, and never say how much it will be."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10_000):
        handler.wfile.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")


def test_an_answer_without_end_is_left_where_it_becomes_too_large(web):
    web.pages["/jws"] = flood
    assert "the answer is larger than 64 KiB" == refusal(f"https://127.0.0.1:{web.port}/jws")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "gzip, gzip", "br", "identity, gzip"])
def test_a_compressed_answer_is_not_unpacked(web, encoding):
    bomb = gzip.compress(b"\0" * 40_000_000)
    assert len(bomb) < LARGEST
    web.pages["/jws"] = (200, {"content-encoding": encoding}, bomb)
    assert "the answer is compressed, which was not asked for" == refusal(f"https://127.0.0.1:{web.port}/jws")


def drip(web, head):
    """Say a byte now and then, so that no single wait is long."""

    def say(handler):
        handler.wfile.write(head)
        while not web.gone.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return say


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b""], ids=len
)
def test_a_server_that_drips_is_left_in_time(web, head):
    web.pages["/jws"] = drip(web, head)
    began = time.monotonic()
    assert "no answer within 0.4 s" == refusal(f"https://127.0.0.1:{web.port}/jws", within_s=0.4, kind=NoAnswerError)
    assert time.monotonic() - began < 2


def test_a_port_that_takes_connections_and_says_nothing_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/jws"
        assert "no connection in time" == refusal(url, within_s=0.3, kind=NoAnswerError)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff not HTTP\r\n\r\n" * 9,
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 9000,
    ],
    ids=["garbage", "cut", "short", "negative", "two lengths", "bad chunk", "endless head"],
)
def test_what_is_not_http_is_a_failure_in_words(web, answer):
    web.pages["/jws"] = lambda handler: handler.wfile.write(answer)
    assert "the answer was not HTTP, or broke off" == refusal(f"https://127.0.0.1:{web.port}/jws", kind=NoAnswerError)


def test_a_name_without_an_address_is_told_without_the_name():
    why = refusal("https://token-1234.invalid/jws", kind=NoAnswerError)
    assert why.startswith("no connection (its name has no address")
    assert "token-1234" not in why


@pytest.mark.parametrize("label", ["a" * 64, "a..b", "-", "xn--a"])
def test_a_name_that_cannot_be_one_is_a_failure_in_words(label):
    assert refusal(f"https://{label}.invalid/jws", kind=NoAnswerError) or None


def test_a_name_whose_owner_lets_us_wait_holds_up_nothing_else(monkeypatch):
    let_go, all_asked, asked = threading.Event(), threading.Event(), []
    more_than_asyncio_has = min(32, (os.cpu_count() or 1) + 4) + 1

    def wait(host, *_, **__):
        asked.append(host)
        if len(asked) == more_than_asyncio_has:
            all_asked.set()
        let_go.wait(20)
        raise OSError("too late")

    async def ask_often():
        url = "https://slow.example.com/"
        fetching = [asyncio.create_task(fetch(url, HERE, within_s=3)) for _ in range(more_than_asyncio_has)]
        async with asyncio.timeout(2):
            while not all_asked.is_set():  # noqa: ASYNC110 - it is set in a thread, and threads are what is tested
                await asyncio.sleep(0.01)
        await asyncio.wait_for(asyncio.to_thread(str), 1)  # as the store is asked
        return await asyncio.gather(*fetching, return_exceptions=True)

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    try:
        assert {"no answer within 3 s"} == set(map(str, asyncio.run(ask_often())))
        assert not let_go.is_set()
    finally:
        let_go.set()


def test_no_proxy_of_the_environment_comes_between_us_and_the_checked_address(web, monkeypatch):
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    web.pages["/jws"] = b"a card"
    assert b"a card" == get(f"https://127.0.0.1:{web.port}/jws")


def test_a_client_checks_its_address_anew_each_time(web, names):
    names[NAME] = [["127.0.0.1"], ["10.0.0.1"]]
    web.pages["/jws"] = b"a card"

    async def ask_twice():
        async with open_client(f"https://{NAME}:{web.port}/jws", HERE) as client:
            async with client.ask("GET", within_s=5) as answer:
                assert b"a card" == await answer.body()
            with pytest.raises(NotAllowedError, match=r"10\.0\.0\.1"):
                async with client.ask("GET", within_s=5):
                    pass

    asyncio.run(ask_twice())
    assert 1 == len(web.asked)
