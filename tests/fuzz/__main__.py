"""`make fuzz`: atheris tries each reading for its share of the time; what breaks one goes to tests/data/fuzz."""

import argparse
import importlib.util
import re
import subprocess
import sys

from tests.fuzz.readings import FOUND, READINGS

_TRIED = re.compile(r"number_of_executed_units: (\d+)")


def main() -> int:
    """Fuzz the readings named, or all, one after the other; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description="Fuzz what reads text of strangers.")
    parser.add_argument("--seconds", type=int, default=300, help="for all readings together")
    parser.add_argument("readings", nargs="*", metavar="READING", help=", ".join(READINGS))
    asked = parser.parse_args()
    for name in set(asked.readings) - set(READINGS):
        parser.error(f"{name} is no reading; they are {', '.join(READINGS)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed; it is made for Linux on x86-64 and CPython up to 3.13")
    chosen = asked.readings or list(READINGS)
    broken = [name for name in chosen if not _holds(name, max(1, asked.seconds // len(chosen)))]
    if broken:
        _say(f"Found: {', '.join(broken)}. Mend the reading; the files in {FOUND} stay, and the tests read them.")
    return 1 if broken else 0


def _holds(name: str, seconds: int) -> bool:
    """Fuzz one reading in a process of its own, which libFuzzer ends."""
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(seconds)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    tried = _TRIED.search(said.stderr)
    _say(f"{name:<10}{seconds:>5} s  {int(tried[1]) if tried else 0:>9,} inputs")
    if not any((FOUND / name).iterdir()):
        (FOUND / name).rmdir()
    if said.returncode:
        _say(said.stdout[-3_000:] + said.stderr[-600:])
    return said.returncode == 0


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
