"""What the author of a scenario expects of a call, and whether a verdict meets it."""

from dataclasses import dataclass

# What a call can turn out to be, as a scenario file may expect it; tests hold this equal to the verdict's own list.
DISPOSITIONS = (
    "answered",
    "analytics_blocked",
    "analytics_suspected",
    "subscriber_blocked",
    "provider_blocked",
    "user_declined",
    "rejected_ambiguous",
    "user_busy",
    "no_answer",
    "unreachable",
    "invalid_number",
    "caller_id_rejected",
    "trunk_misconfigured",
    "network_failure",
    "media_incompatible",
    "redirected",
    "cancelled",
    "timed_out",
    "protocol_error",
    "inconclusive",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A call meets it when its disposition is one of `any_of` (if given), none of `none_of`, and not too slow.

    `max_final_ms` bounds the time from the INVITE to the final response.
    """

    any_of: frozenset[str] = frozenset()
    none_of: frozenset[str] = frozenset()
    max_final_ms: int | None = None


def is_met(expectation: Expectation, disposition: str, final_ms: float | None) -> bool:
    """Say whether a disposition, reached `final_ms` after the INVITE, is as expected."""
    if expectation.any_of and disposition not in expectation.any_of:
        return False
    if disposition in expectation.none_of:
        return False
    limit = expectation.max_final_ms
    return limit is None or (final_ms is not None and final_ms <= limit)


def describe(expectation: Expectation) -> str:
    """Write the expectation as a person would: `answered or user_busy, final within 4000 ms`."""
    parts = []
    if expectation.any_of:
        parts.append(" or ".join(sorted(expectation.any_of)))
    if expectation.none_of:
        parts.append("not " + " or ".join(sorted(expectation.none_of)))
    if expectation.max_final_ms is not None:
        parts.append(f"final within {expectation.max_final_ms} ms")
    return ", ".join(parts)
