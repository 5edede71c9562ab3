import asyncio
import logging
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from databases import opened
from signed_cards import certify, serving, web_holder
from standardwebhooks import Webhook

from probe import fetching
from probe.errors import ReceiverError, ScenarioError
from probe.event import DeliveryState, Event
from probe.store import open_store
from probe.webhook import delivery
from probe.webhook.delivery import Delivered, deliver_pending, send

NAME = "http://${HOST}/number-health"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def post(endpoint, make_event, sleep):
    """Post one event in one sitting."""
    return lambda: asyncio.run(send(make_event(), endpoint, now=now, sleep=sleep))


def refusal(post) -> ReceiverError:
    with pytest.raises(ReceiverError) as caught:
        post()
    return caught.value


def test_a_receiver_can_verify_what_it_gets(receiver, endpoint, post):
    assert 200 == post()
    (got,) = receiver.posts
    assert "/number-health" == got.path
    assert "application/json" == got.headers["content-type"]
    body = {"type": "call.blocked", "timestamp": "2026-11-22T10:00:00.123Z", "data": {"id": "msg-1"}}
    assert body == Webhook(endpoint.secret).verify(got.body, got.headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_taken(receiver, post, status):
    receiver.answers = [lambda handler: handler.wfile.write(b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status)]
    assert status == post()
    assert 1 == len(receiver.posts)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_another_try_soon_carries_the_same_id_and_body_and_verifies(receiver, endpoint, post, status):
    receiver.answers = [status, 500]
    assert 200 == post()
    assert ["msg-1"] * 3 == [got.headers["webhook-id"] for got in receiver.posts]
    assert 1 == len({got.body for got in receiver.posts})
    for got in receiver.posts:
        Webhook(endpoint.secret).verify(got.body, got.headers)


def test_each_try_carries_its_own_time(receiver, endpoint, make_event, sleep):
    receiver.answers = [500]
    moments = [now() + timedelta(seconds=n) for n in range(2)]
    asyncio.run(send(make_event(), endpoint, now=iter(moments).__next__, sleep=sleep))
    sent = [int(got.headers["webhook-timestamp"]) for got in receiver.posts]
    assert [int(moment.timestamp()) for moment in moments] == sent


def test_a_sitting_is_three_tries_with_growing_waits(receiver, post, sleeps):
    receiver.answers = [500] * 9
    error = refusal(post)
    assert f"webhook.url {NAME} answered 500; look into the receiver's log" == str(error)
    assert not error.permanent
    assert 3 == len(receiver.posts)
    assert 0.5 <= sleeps[0] <= 1.0 <= sleeps[1] <= 2.0


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (301, ", a redirect, which is never followed; write the new address into the file"),
        (307, ", a redirect, which is never followed; write the new address into the file"),
        (400, "; look into the receiver's log"),
        (401, "; give the receiver the same webhook.secret"),
        (404, "; check the path in webhook.url"),
        (409, "; look into the receiver's log"),
        (413, "; let the receiver take larger bodies"),
    ],
)
def test_what_a_second_try_cannot_help_is_tried_once_and_not_given_up(receiver, post, status, advice):
    receiver.answers = [(status, {"location": "/elsewhere"})]
    error = refusal(post)
    assert f"webhook.url {NAME} answered {status}{advice}" == str(error)
    assert not error.permanent
    assert ["/number-health"] == [got.path for got in receiver.posts]


def test_gone_is_permanent(receiver, post):
    receiver.answers = [410]
    assert refusal(post).permanent
    assert 1 == len(receiver.posts)


def test_a_short_retry_after_is_waited_for(receiver, post, sleeps):
    receiver.answers = [(429, {"retry-after": "7"})]
    assert 200 == post()
    assert [7.0] == sleeps


IN_NINE_DAYS = format_datetime(now() + timedelta(days=9), usegmt=True)


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), (IN_NINE_DAYS, 86400.0)], ids=["seconds", "date"])
def test_a_long_retry_after_ends_the_sitting(receiver, post, sleeps, value, seconds):
    receiver.answers = [(503, {"retry-after": value})]
    error = refusal(post)
    assert seconds == error.retry_after_s
    assert [] == sleeps


def garble(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xffI am not a web server\r\n\r\n" * 50)


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def break_off(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 20")


def drown(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 100_000)


@pytest.mark.parametrize("answer", [garble, reset, break_off, drown])
def test_what_is_not_an_answer_is_a_failure_in_words(receiver, post, answer):
    receiver.answers = [answer] * 9
    assert str(refusal(post)).startswith(f"webhook.url {NAME} was not reached: the ")
    assert 3 == len(receiver.posts)


@pytest.mark.parametrize("way", ["hang", "trickle"])
def test_a_receiver_that_never_ends_is_left(receiver, post, monkeypatch, way):
    monkeypatch.setattr(delivery, "_TOTAL_S", 0.2)
    receiver.answers = [getattr(receiver, way)] * 9
    assert f"webhook.url {NAME} was not reached: no answer within 0.2 s" == str(refusal(post))


def test_a_body_that_never_comes_does_not_take_back_the_status(receiver, post, monkeypatch):
    monkeypatch.setattr(fetching, "_DRAIN_S", 0.1)
    receiver.answers = [receiver.hang_after_status]
    assert 200 == post()


def test_an_endless_body_is_not_read(receiver, post):
    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not receiver.released.is_set():
            handler.wfile.write(b"x" * 65536)

    receiver.answers = [flood]
    assert 200 == post()


def test_a_receiver_that_is_down_is_a_failure_in_words(endpoint, make_event, sleep):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = replace(endpoint, url=f"http://127.0.0.1:{closed.getsockname()[1]}/")
        with pytest.raises(ReceiverError, match="was not reached: no connection"):
            asyncio.run(send(make_event(), down, now=now, sleep=sleep))


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path, endpoint, make_event, sleep):
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept_once, args=(server, context, heard))
        thread.start()
        secure = replace(endpoint, url=f"https://127.0.0.1:{server.getsockname()[1]}/")
        with pytest.raises(ReceiverError, match="certificate verify failed"):
            asyncio.run(send(make_event(), secure, now=now, sleep=sleep))
        thread.join()
    assert ["refused"] * 3 == heard


def make_certificate(folder: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=127.0.0.1")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now() - timedelta(days=1)).not_valid_after(now() + timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "self-signed.pem"
    path.write_bytes(pem + key.private_bytes(*form))
    return path


def accept_once(server: socket.socket, context: ssl.SSLContext, heard: list[str]) -> None:
    for _ in range(3):
        connection, _ = server.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                heard.append(secure.recv(100).decode())
        except ssl.SSLError:
            heard.append("refused")


def test_a_receiver_behind_a_certificate_that_is_vouched_for_is_reached(endpoint, make_event, tmp_path, monkeypatch):
    authority = certify("web root", ca=True, at=now())
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with serving(web_holder(authority, "localhost"), tmp_path) as web:
        there = replace(endpoint, url=f"https://localhost:{web.port}/")
        with pytest.raises(ReceiverError, match="answered 501"):  # these pages can only be got
            asyncio.run(send(make_event(), there, now=now, sleep=no_sleep))
    assert {"localhost"} == set(web.names)


async def no_sleep(_: float) -> None:
    pass


PRIVATE = "which is no public address; list its network under webhook.private_networks if that is meant"


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "100.64.0.1", "192.168.1.1", "[fd00::1]", "[::ffff:10.0.0.1]"]
)
def test_nothing_is_posted_to_a_private_address(endpoint, make_event, sleep, sleeps, host):
    there = replace(endpoint, url=f"https://{host}/")
    with pytest.raises(ReceiverError, match=re.escape(PRIVATE)) as caught:
        asyncio.run(send(make_event(), there, now=now, sleep=sleep))
    assert not caught.value.permanent
    assert [] == sleeps


def test_a_private_network_of_the_file_is_asked(endpoint, make_event, sleep, monkeypatch):
    monkeypatch.setattr(delivery, "_TOTAL_S", 0.2)
    there = replace(endpoint, url="https://10.0.0.1:9/", private_networks=(ip_network("10.0.0.0/24"),))
    with pytest.raises(ReceiverError, match="was not reached: no ") as caught:
        asyncio.run(send(make_event(), there, now=now, sleep=sleep))
    assert "no public address" not in str(caught.value)


def test_a_name_that_leads_to_a_private_address_ends_the_pass_and_is_tried_again(store, endpoint, make_event):
    queue(store, make_event("msg-1"), make_event("msg-2"))
    there = replace(endpoint, url="https://10.0.0.1/")
    done = asyncio.run(deliver_pending(store.outbox, there, now=now))
    assert (0, 1, 2, False) == (done.taken, done.failed, done.waiting, done.disabled)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(post, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert 200 == post()


def test_the_url_is_not_logged(receiver, endpoint, make_event, sleep, caplog):
    receiver.path, hidden = "/token-1234", replace(endpoint, url=endpoint.url.replace("/number-health", "/token-1234"))
    with caplog.at_level(logging.INFO):
        asyncio.run(send(make_event(), hidden, now=now, sleep=sleep))
    assert ["/token-1234"] == [got.path for got in receiver.posts]
    assert "token-1234" not in caplog.text


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "https://exa mple.com/", "https://☃.example.com/"])
def test_an_endpoint_that_must_not_be_used_is_the_users_mistake(endpoint, make_event, url):
    with pytest.raises(ScenarioError, match=r"^webhook\.url http://\$\{HOST\}/number-health "):
        asyncio.run(send(make_event(), replace(endpoint, url=url), now=now))


# From here on: the outbox carries what outlives a sitting.


@pytest.fixture
def url(emptied_file) -> str:
    emptied_file.empty()
    return emptied_file.url


@pytest.fixture
def store(url):
    store = opened(url)
    yield store
    store.close()


def queue(store, *events: Event) -> None:
    """Write events with the round that brought them; a round ends once."""
    round_id = f"round of {events[0].id}"
    store.begin_round(round_id, "health", now(), 0)
    store.finish_round(round_id, now(), {}, [(event, NAME) for event in events])


@pytest.fixture
def deliver(store, endpoint, sleep):
    """Make one pass, `later` than now."""

    def run(later: timedelta = timedelta()) -> Delivered:
        return asyncio.run(deliver_pending(store.outbox, endpoint, now=lambda: now() + later, sleep=sleep))

    return run


def sent_ids(receiver) -> list[str]:
    return [got.headers["webhook-id"] for got in receiver.posts]


def test_what_waits_is_delivered_in_order_and_once(receiver, store, deliver, make_event, monkeypatch):
    monkeypatch.setattr("probe.store.outbox._BATCH", 2)
    names = [f"msg-{n}" for n in range(12)]
    queue(store, *(make_event(name, subject=f"+1202555010{n % 3}") for n, name in enumerate(names)))
    assert Delivered(taken=12, failed=0, waiting=0, disabled=False, reasons=()) == deliver()
    assert Delivered(taken=0, failed=0, waiting=0, disabled=False, reasons=()) == deliver()
    assert sorted(names) == sorted(sent_ids(receiver))
    for n in range(3):
        assert names[n::3] == [name for name in sent_ids(receiver) if name in names[n::3]]


def test_an_event_that_failed_is_sent_with_the_same_id_after_reopening(receiver, store, url, endpoint, make_event):
    queue(store, make_event())
    receiver.answers = [400]
    first = asyncio.run(deliver_pending(store.outbox, endpoint, now=now))
    assert (0, 1, 1) == (first.taken, first.failed, first.waiting)
    store.close()
    again = open_store(url)
    assert () == again.outbox.pending(NAME, now() + timedelta(seconds=4))
    later = asyncio.run(deliver_pending(again.outbox, endpoint, now=lambda: now() + timedelta(seconds=6)))
    again.close()
    assert (1, 0) == (later.taken, later.waiting)
    assert ["msg-1"] * 2 == sent_ids(receiver)


def test_an_event_is_given_up_at_the_end_of_the_table(receiver, store, deliver, make_event):
    queue(store, make_event())
    receiver.answers = [400] * 10
    waiting = [deliver(timedelta(days=2 * n)).waiting for n in range(11)]
    assert [1] * 9 + [0] * 2 == waiting
    assert 10 == len(receiver.posts)
    (given_up,) = store.outbox.deliveries(state=DeliveryState.DEAD)
    assert (10, f"webhook.url {NAME} answered 400; look into the receiver's log") == (
        given_up.attempts,
        given_up.reason,
    )


def test_a_long_retry_after_is_kept_in_the_outbox_and_ends_the_pass(receiver, store, deliver, make_event):
    queue(store, make_event("msg-1"), make_event("msg-2"))
    receiver.answers = [(429, {"retry-after": "3600"})]
    assert (0, 1, 2) == ((done := deliver()).taken, done.failed, done.waiting)
    assert ["msg-2"] == [one.event.id for one in store.outbox.pending(NAME, now() + timedelta(minutes=59))]
    assert ["msg-1", "msg-2"] == [one.event.id for one in store.outbox.pending(NAME, now() + timedelta(minutes=61))]


def test_gone_ends_everything_for_the_endpoint_until_a_replay(receiver, store, deliver, make_event):
    queue(store, make_event("msg-1"), make_event("msg-2"))
    receiver.answers = [410]
    done = deliver()
    why = (
        f"webhook.url {NAME} answered 410 (gone), so nothing more is sent there; `probe webhook replay` starts it again"
    )
    assert Delivered(taken=0, failed=1, waiting=0, disabled=True, reasons=(why,)) == done
    assert why == store.outbox.endpoint_disabled(NAME)
    queue(store, make_event("msg-3"))
    assert 0 == deliver().taken
    assert 3 == store.outbox.requeue(["msg-1", "msg-2", "msg-3"])
    assert 3 == deliver().taken
    assert ["msg-1", "msg-1", "msg-2", "msg-3"] == sent_ids(receiver)


def test_one_event_that_the_receiver_chokes_on_does_not_stop_the_others(receiver, store, deliver, make_event):
    queue(store, make_event("msg-1"), make_event("msg-2"))
    receiver.answers = [500] * 3
    assert (1, 1, 1) == ((done := deliver()).taken, done.failed, done.waiting)


def test_events_of_one_number_wait_for_the_one_before(receiver, store, deliver, make_event):
    queue(store, make_event("msg-1", "+1"), make_event("msg-2", "+1"), make_event("msg-3", "+2"))
    receiver.answers = [400]
    deliver()
    assert ["msg-1", "msg-3"] == sent_ids(receiver)
    deliver(timedelta(seconds=6))
    assert ["msg-1", "msg-3", "msg-1", "msg-2"] == sent_ids(receiver)


def test_a_pass_ends_after_three_failures_in_a_row(receiver, store, deliver, make_event):
    queue(store, *(make_event(f"msg-{n}") for n in range(5)))
    receiver.answers = [400] * 5
    assert (3, 5) == ((done := deliver()).failed, done.waiting)


def test_a_receiver_that_hangs_delays_one_event_and_not_all(receiver, store, deliver, make_event, monkeypatch):
    monkeypatch.setattr(delivery, "_TOTAL_S", 0.1)
    queue(store, make_event("msg-1"), make_event("msg-2"))
    receiver.answers = [receiver.hang] * 9
    done = deliver()
    reason = f"webhook.url {NAME} was not reached: no answer within 0.1 s"
    assert Delivered(taken=0, failed=1, waiting=2, disabled=False, reasons=(reason,)) == done


def test_a_stop_in_the_middle_frees_the_event_at_once(receiver, store, endpoint, make_event):
    queue(store, make_event())
    receiver.answers = [receiver.hang]

    async def stop_when_posted() -> None:
        task = asyncio.create_task(deliver_pending(store.outbox, endpoint, now=now))
        await asyncio.to_thread(receiver.reached.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_when_posted())
    (free,) = store.outbox.pending(NAME, now())
    assert (1, "probe was stopped before an answer came") == (free.attempts, free.reason)


DELIVER = """
import asyncio, sys
from datetime import UTC, datetime
from probe.event import Endpoint
from probe.store import open_store
from probe.webhook.delivery import deliver_pending
store = open_store({url!r})
endpoint = Endpoint(name={name!r}, url={to!r}, secret={secret!r}, types=frozenset())
sys.stdin.readline()
print(asyncio.run(deliver_pending(store.outbox, endpoint, now=lambda: datetime.now(UTC))).taken)
"""


def test_processes_that_deliver_at_once_post_each_event_once(receiver, store, url, endpoint, make_event):
    names = [f"msg-{n}" for n in range(10)]
    queue(store, *map(make_event, names))
    script = DELIVER.format(url=url, name=NAME, to=endpoint.url, secret=endpoint.secret)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen([sys.executable, "-c", script], text=True, **pipes) for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert 10 == sum(taken)
    assert sorted(names) == sorted(sent_ids(receiver))
