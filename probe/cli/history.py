"""The store that a command works on, and the ids of what it puts there."""

import argparse
import os
from pathlib import Path

from uuid6 import uuid7

from probe.store import Store, open_store

DEFAULT_STORE = "sqlite:///results/probe.db"
DEFAULT_STOP_FILE = "results/STOP"


def open_history(arguments: argparse.Namespace) -> Store:
    """Open the store that the command line or PROBE_STORE names."""
    return open_store(arguments.store or os.environ.get("PROBE_STORE") or DEFAULT_STORE)


def new_id() -> str:
    """An id that sorts by time (UUID version 7, RFC 9562)."""
    return str(uuid7())


def new_event_id() -> str:
    """The id of a webhook event."""
    return f"msg_{uuid7().hex}"


def stop_file() -> Path:
    """The file whose existence halts all dialing at once: PROBE_STOP_FILE, or results/STOP."""
    return Path(os.environ.get("PROBE_STOP_FILE") or DEFAULT_STOP_FILE)


def is_stopped() -> bool:
    """Say whether the stop file is there."""
    return stop_file().exists()
