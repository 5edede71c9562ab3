"""The demo: starts the carrier simulator and a webhook receiver, runs `probe check`, says where everything is.

It ends well when probe finds what the simulator blocks: exit code 1, a finding.
"""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
DELIVERIES = RESULTS / "demo-webhooks.jsonl"
STORE = RESULTS / "demo.db"
SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
FINDING = 1
TOLD_TO_STOP = 128 + signal.SIGTERM


class Receiver(BaseHTTPRequestHandler):
    """Takes webhooks as a user's program would: it checks the signature and keeps the body."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Webhook(SECRET).verify(body, dict(self.headers))
        with DELIVERIES.open("a") as file:
            file.write(json.dumps(json.loads(body)) + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: the demo's words are probe's own."""


def probe(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "probe", *arguments]


def main() -> int:
    # The first process of a container ends on no signal that it does not ask for; the simulator ends with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TOLD_TO_STOP))
    for old in (DELIVERIES, STORE, Path(f"{STORE}-wal"), Path(f"{STORE}-shm")):
        old.unlink(missing_ok=True)
    receiver = ThreadingHTTPServer(("127.0.0.1", 15080), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    simulator = subprocess.Popen(probe("sim", "--port", "15060"), stdout=subprocess.PIPE, text=True)
    try:
        assert simulator.stdout is not None
        print(simulator.stdout.readline().strip(), flush=True)
        environment = {**os.environ, "PROBE_DEMO_SECRET": SECRET, "PROBE_STORE": f"sqlite:///{STORE}"}
        check = subprocess.run(probe("check", str(HERE / "demo.yaml")), env=environment, check=False)
    finally:
        simulator.terminate()
        simulator.wait()
        receiver.shutdown()
    print_places(check.returncode)
    return 0 if check.returncode == FINDING else 1


def print_places(code: int) -> None:
    received = [json.loads(line)["type"] for line in DELIVERIES.read_text().splitlines()] if DELIVERIES.exists() else []
    counts = ", ".join(f"{received.count(kind)} {kind}" for kind in sorted(set(received)))
    print(f"\nExit code {code}: " + ("a finding, some numbers are blocked." if code == FINDING else "see above."))
    print(f"Webhooks received, signatures checked: {counts or 'none'}; see {DELIVERIES.relative_to(Path.cwd())}")
    store = f"sqlite:///{STORE.relative_to(Path.cwd())}"
    print(f"The calls: .venv/bin/probe calls --store {store}")
    print(f"One call:  .venv/bin/probe show --store {store} ID")


if __name__ == "__main__":
    sys.exit(main())
