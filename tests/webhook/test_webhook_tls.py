"""A receiver of webhooks whose certificate does not hold is sent nothing."""

import asyncio
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from certified import certificate_for, served

from probe.errors import ReceiverError
from probe.webhook.delivery import send

HOSTS = {"good": "localhost", "unknown": "localhost", "other": "other.example.com", "old": "localhost"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """`good`, and three that do not hold; all but `unknown` stand in `authorities.pem`."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, host in HOSTS.items():
        certificate_for(folder / f"{name}.pem", host, last_day=-1 if name == "old" else 1)
    known = [(folder / f"{name}.pem").read_text().partition("-----BEGIN CERT")[2] for name in ("good", "other", "old")]
    (folder / "authorities.pem").write_text("".join(f"-----BEGIN CERT{text}" for text in known))
    return folder


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Keep the test's output clean."""


class SecureHook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Hook)
        self.posts = []
        self.socket = served(certificate).wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, *_):
        """A sender that does not trust us hangs up: that is the point."""

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


@pytest.fixture
def post(certificates, endpoint, make_event, sleep, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "authorities.pem"))

    def post(hook):
        there = replace(endpoint, url=f"https://localhost:{hook.server_port}/hook")
        return asyncio.run(send(make_event(), there, now=lambda: datetime.now(UTC), sleep=sleep))

    return post


def test_a_receiver_whose_certificate_holds_is_sent_the_event(post, certificates):
    with SecureHook(certificates / "good.pem") as hook:
        assert 204 == post(hook)
    assert ["call.blocked"] == [sent["type"] for sent in hook.posts]


@pytest.mark.parametrize("shown", ["unknown", "other", "old"])
def test_a_receiver_whose_certificate_does_not_hold_is_sent_nothing(post, certificates, shown):
    with (
        SecureHook(certificates / f"{shown}.pem") as hook,
        pytest.raises(ReceiverError, match="certificate verify failed"),
    ):
        post(hook)
    assert [] == hook.posts
