import pytest

from probe.errors import ScenarioError
from probe.event import Endpoint
from probe.webhook.endpoint import check_endpoint

NAME = "https://${HOST}/x"


def at(url: str, secret: str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") -> Endpoint:
    return Endpoint(name=NAME, url=url, secret=secret, types=frozenset())


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/number-health",
        "https://user:password@hooks.example.com:8443/",
        "http://127.0.0.1:8080/",
        "http://127.9.9.9/",
        "http://[::1]:8080/",
        "http://localhost:8080/",
        "http://LOCALHOST/",
    ],
)
def test_an_endpoint_may_be(url):
    check_endpoint(at(url))


IN_THE_CLEAR = "would send call records in the clear; write it with https://"
NO_ADDRESS = "is not a web address; write it as https://host/path"
BLANK = "holds a blank or a control character; take it out"
NO_URL = "is not a URL; write it as https://host/path"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/", IN_THE_CLEAR),
        ("http://192.0.2.1/", IN_THE_CLEAR),
        ("http://localhost.example.com/", IN_THE_CLEAR),
        ("http://127.0.0.1.example.com/", IN_THE_CLEAR),
        ("http://127.0.0.1@example.com/", IN_THE_CLEAR),
        ("ftp://example.com/", NO_ADDRESS),
        ("file:///etc/passwd", NO_ADDRESS),
        ("hooks.example.com", NO_ADDRESS),
        ("", NO_ADDRESS),
        ("https://", NO_ADDRESS),
        ("https://exa mple.com/", BLANK),
        ("https://example.com/\r\nX-Injected: 1", BLANK),
        ("https://[::1/", NO_URL),
        ("https://example.com:port/", NO_URL),
    ],
)
def test_an_endpoint_may_not_be(url, why):
    with pytest.raises(ScenarioError) as caught:
        check_endpoint(at(url))
    assert f"webhook.url {NAME} {why}" == str(caught.value)


def test_a_secret_that_is_none_is_found_before_anything_is_sent():
    with pytest.raises(ScenarioError, match=r"webhook\.secret must be whsec_"):
        check_endpoint(at("https://hooks.example.com/", "hunter2"))


def test_an_endpoint_does_not_show_its_secrets():
    shown = repr(at("https://hooks.example.com/token-1234", "whsec_c2VjcmV0"))
    assert "token-1234" not in shown
    assert "whsec_" not in shown
