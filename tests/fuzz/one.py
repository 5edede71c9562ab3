"""One reading, fuzzed for some seconds: `python -m tests.fuzz.one READING SECONDS`. build/fuzz keeps what it learnt."""

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["probe"]):
    from tests.fuzz.readings import FOUND, READINGS
    from tests.fuzz.seeds import seeds

_LEARNT = Path("build/fuzz")
# A reading of 8 KB takes milliseconds: one that takes seconds is a finding, and so is one that takes memory.
_LIMITS = ("-max_len=8192", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1")


def main(name: str, seconds: str) -> None:
    corpus, place = _LEARNT / name, FOUND / name
    for folder in (corpus, place):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = (f"-max_total_time={seconds}", f"-artifact_prefix={place}/")
    atheris.Setup([sys.argv[0], *_LIMITS, *options, str(corpus)], READINGS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
