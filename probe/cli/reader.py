"""The process that reads the rows of a file, judges and packs them, while its parent writes: a core for each.

The file is its stdin, unless that is what it inherits. Its stdout carries batches, pickled, one after the other.
"""

import gc
import json
import pickle
import signal
import sys
from datetime import datetime

from probe.cli.batch import batches
from probe.importing import Source, read_capture, read_rows


def main() -> None:
    """Read the file to its end, for the parent."""
    # Ctrl-C reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # without the parent there is nobody to read for
    gc.disable()  # rows hold no circles, and there are millions of them
    asked = json.loads(sys.argv[1])
    source = Source(name=asked["name"], network=asked["network"], latest=datetime.fromisoformat(asked["latest"]))
    read = read_capture(source) if asked["pcap"] else read_rows(sys.stdin.buffer, source)
    for batch in batches(read):
        pickle.dump(batch, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
