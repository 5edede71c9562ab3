import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from probe.errors import ScenarioError
from probe.webhook.body import make_body, make_test_event
from probe.webhook.signature import sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOW = (
    "webhook.secret must be whsec_ and then 24 to 64 bytes in base64; "
    'make one with: echo "whsec_$(openssl rand -base64 32)"'
)


def secret_of(length: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * length).decode()


@pytest.mark.parametrize("secret", [SECRET, secret_of(24), secret_of(64)])
def test_the_standard_library_of_receivers_accepts_the_signature(secret, make_event):
    body = make_body(make_event())
    headers = sign(secret, "msg-1", datetime.now(UTC), body)
    assert json.loads(body) == Webhook(secret).verify(body, headers)


@pytest.mark.parametrize("part", ["body", "id", "timestamp"])
def test_the_signature_covers(part, make_event):
    body = make_body(make_event())
    headers = sign(SECRET, "msg-1", datetime.now(UTC), body)
    tampered = {
        "body": (body.replace(b"msg-1", b"msg-2"), headers),
        "id": (body, headers | {"webhook-id": "msg-2"}),
        "timestamp": (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(*tampered[part])


def test_a_known_signature_is_made():
    """The example of the Standard Webhooks libraries, with a fixed moment."""
    headers = sign(
        SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
    )
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == headers["webhook-signature"]
    assert "1614265330" == headers["webhook-timestamp"]


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not base64",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_é",
        secret_of(23),
        secret_of(65),
    ],
)
def test_a_secret_that_is_none_gets_one_sentence_that_does_not_show_it(secret):
    with pytest.raises(ScenarioError) as caught:
        sign(secret, "msg-1", datetime.now(UTC), b"")
    assert HOW == str(caught.value)


def test_the_body_is_compact_and_carries_the_events_own_time(make_event):
    expected = b'{"type":"call.blocked","timestamp":"2026-11-22T10:00:00.123Z","data":{"id":"msg-1"}}'
    assert expected == make_body(make_event())


def test_text_that_is_not_unicode_can_be_sent():
    event = make_test_event(datetime.now(UTC), "msg-1")
    event.data["message"] = "phrase with \udc80 and ü"
    assert event.data == json.loads(make_body(event))["data"]


def test_the_test_event_says_what_it_is():
    event = make_test_event(datetime.now(UTC), "msg-1")
    assert ("webhook.test", "msg-1") == (event.type, event.id)
