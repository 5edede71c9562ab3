"""The times of a call in; as much of them as any rule asks for, out: a few yes and no."""

from probe.verdict.rules import DROPPED_MS, PERSON_MS, RING_OUT_MS

Pattern = tuple[bool, ...]


def pattern_of(
    alerting_ms: float | None, early_media_ms: float | None, final_ms: float | None, talk_ms: float | None = None
) -> Pattern:
    """Give what two calls have to have in common to be judged alike, if all else that was heard of them is equal.

    So many calls can be judged by one of them. A rule that asks for more than this has to be told of here; a test
    holds the two together.
    """
    ringing_ms = -1.0 if alerting_ms is None or final_ms is None else final_ms - alerting_ms
    return (
        alerting_ms is not None,
        early_media_ms is not None,
        final_ms is not None,
        final_ms is not None and final_ms <= PERSON_MS,
        ringing_ms >= 0,
        ringing_ms >= PERSON_MS,
        ringing_ms >= RING_OUT_MS,
        talk_ms is not None,
        talk_ms is not None and talk_ms < DROPPED_MS,
    )
