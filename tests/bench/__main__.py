"""Measures what the README says, each figure beside what it is compared to; JSON goes to results/bench.json.

Words after it choose what is measured; the JSON of `native` alone goes to results/bench-native.json.
"""

import json
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import (
    commands,
    costs,
    flat,
    fleet,
    flood,
    idle,
    importing,
    native,
    page,
    planning,
    reading,
    signals,
    standing_curve,
    standing_speed,
    timing,
)
from tests.bench.figure import Figure

RESULTS = Path(__file__).parents[2] / "results"
Measure = Callable[[], Iterator[Figure]]
BENCHES: dict[str, Measure] = {
    "commands": commands.measure,
    "reading": reading.measure,
    "timing": timing.measure,
    "planning": planning.measure,
    "idle": idle.measure,
    "standing": standing_speed.measure,
    "page": page.measure,
    "import": importing.measure,
    "signals": signals.measure,
    "curve": standing_curve.measure,
    "native": native.measure,
    "costs": costs.measure,
    "flat": flat.measure,
    "flood": flood.measure,
    "fleet": fleet.measure,
}


def main() -> None:
    figures = []
    print(f"CPython {platform.python_version()} on {platform.machine()}\n")
    chosen = sys.argv[1:]
    for name in chosen or BENCHES:
        for figure in BENCHES[name]():
            print(figure.in_a_line(), flush=True)
            figures.append(figure)
    file = RESULTS / f"{'-'.join(['bench', *chosen])}.json"
    file.write_text(json.dumps([figure.document() for figure in figures], indent=2) + "\n")
    print(f"\n{file.relative_to(Path.cwd())}")


if __name__ == "__main__":
    sys.exit(main())
