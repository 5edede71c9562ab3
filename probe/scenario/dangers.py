"""A trunk in, a sentence out for each thing that its file allows and that is dangerous."""

from probe.scenario.notation import VERIFY_OFF
from probe.trunk import Srtp, Transport, Trunk


def dangers(trunk: Trunk) -> tuple[str, ...]:
    """Say what the user should know of a trunk that is set less safely than it could be."""
    in_the_clear = trunk.transport is not Transport.TLS
    rules = (
        (
            not trunk.tls_verify,
            f"trunk.tls.verify is {VERIFY_OFF}: whoever stands on the way can read and change every message.",
        ),
        (
            trunk.srtp is not Srtp.OFF and in_the_clear,
            f"trunk.srtp is {trunk.srtp}, but its keys go over {trunk.transport} in the clear; write ;transport=tls.",
        ),
    )
    return tuple(sentence for holds, sentence in rules if holds)
