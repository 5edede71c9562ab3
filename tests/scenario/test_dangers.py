import pytest

from probe.scenario.dangers import dangers
from probe.trunk import Srtp, Transport, Trunk


def trunk(**given):
    return Trunk(**{"name": "a", "host": "sbc.example.com", "transport": Transport.TLS} | given)


@pytest.mark.parametrize(
    "given", [{}, {"srtp": Srtp.REQUIRED}, {"srtp": Srtp.OPTIONAL}, {"transport": Transport.UDP, "srtp": Srtp.OFF}]
)
def test_a_trunk_as_safe_as_its_transport_has_no_dangers(given):
    assert () == dangers(trunk(**given))


def test_a_certificate_that_nobody_looks_at_is_a_danger():
    sentence = (
        "trunk.tls.verify is no-anyone-can-listen-in: whoever stands on the way can read and change every message."
    )
    assert (sentence,) == dangers(trunk(tls_verify=False))


@pytest.mark.parametrize("srtp", [Srtp.OPTIONAL, Srtp.REQUIRED])
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_keys_of_media_in_the_clear_are_a_danger(srtp, transport):
    sentence = f"trunk.srtp is {srtp}, but its keys go over {transport} in the clear; write ;transport=tls."
    assert (sentence,) == dangers(trunk(srtp=srtp, transport=transport))
