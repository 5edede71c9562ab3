"""Measures what the README says, each figure beside what it is compared to; JSON goes to results/bench.json."""

import json
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import commands, idle, planning, reading, timing
from tests.bench.figure import Figure

RESULTS = Path(__file__).parents[2] / "results" / "bench.json"
Measure = Callable[[], Iterator[Figure]]
BENCHES: tuple[Measure, ...] = (commands.measure, reading.measure, timing.measure, planning.measure, idle.measure)


def main() -> None:
    figures = []
    print(f"CPython {platform.python_version()} on {platform.machine()}\n")
    for measure in BENCHES:
        for figure in measure():
            print(figure.in_a_line(), flush=True)
            figures.append(figure)
    RESULTS.write_text(json.dumps([figure.document() for figure in figures], indent=2) + "\n")
    print(f"\n{RESULTS.relative_to(Path.cwd())}")


if __name__ == "__main__":
    sys.exit(main())
