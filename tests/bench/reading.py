"""How many responses a second one core reads and judges."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from probe.sip import read_response
from probe.verdict import Heard, judge
from tests.bench.figure import Figure

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
SECONDS = 3.0
READ = read_response.__wrapped__  # what was just read is remembered; here the same few are read again and again


def measure() -> Iterator[Figure]:
    yield Figure(
        what="responses read and judged a second, one core (mean)",
        value=per_second(read_and_judge),
        unit="/s",
        beside="the same bytes split at LF",
        other=per_second(split_only),
        wanted="at least 10,000",
    )


def per_second(work) -> float:
    samples = [
        (file.read_bytes(), json.loads(file.with_suffix(".json").read_text())["at_ms"])
        for file in sorted(CORPUS.glob("*.sip"))
    ]
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        for raw, at_ms in samples:
            work(raw, at_ms)
        done += len(samples)
    return done / (time.perf_counter() - began)


def read_and_judge(raw: bytes, at_ms: dict[str, float | None]) -> None:
    response = READ(raw)
    judge(
        Heard(
            response=response,
            alerting_ms=at_ms["alerting"],
            early_media_ms=at_ms["early_media"],
            final_ms=at_ms["final"],
        )
    )


def split_only(raw: bytes, _at_ms: dict[str, float | None]) -> None:
    raw.split(b"\n")
