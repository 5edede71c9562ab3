"""`probe schema`: the JSON Schema of everything that other programs write or read."""

import argparse
import json

from probe.cli.main import FINE
from probe.cli.outside import tell
from probe.documents import document_schemas
from probe.scenario.file_format import scenario_schema


def run(arguments: argparse.Namespace) -> int:
    """Print one JSON object: `scenario`, then each published document by its name."""
    del arguments
    tell(json.dumps({"scenario": scenario_schema(), **document_schemas()}, indent=2, ensure_ascii=False))
    return FINE
