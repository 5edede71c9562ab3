"""Secrets planted in a whole round with everything that can go wrong in it, and every byte that was written searched.

The far end asks for digest, the receiver fails, the log tells all it can, the program breaks, the database refuses.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from agent.far_end import FarEnd, reply
from daemon_process import Daemon
from postgres import GUARDED
from standardwebhooks import Webhook

# One worker for all of it: the round is placed once.
pytestmark = [pytest.mark.agent, pytest.mark.timeout(240), pytest.mark.xdist_group("secrets")]

# The middle of each is what is searched for: whatever is escaped, letters and digits stay.
SIP, HOOK, TOKEN, DATABASE = "Zq7Xv9Kp2Lm4", "Rw3Tn8Bc5Hd6", "Jy2Fg4Ms9Vx7", "Uk5Pe8Zr3Qa9"
SECRETS = {
    "SIP_PASSWORD": f"&%{SIP}<'+=/",
    "HOOK_SECRET": "whsec_" + base64.b64encode(f"--{HOOK}-{HOOK}-{HOOK}--".encode()).decode(),
    "HOOK_PATH": TOKEN,
    "TRUNK_TOKEN": f"token {TOKEN}",
}
CALLER, CALLEE = "+12025550102", "+12025550191"
SCENARIO = """
trunk:
  name: watched
  uri: sip:127.0.0.1:{port};transport=tcp
  username: account7
  password: ${{SIP_PASSWORD}}
  register: true
  srtp: optional
  headers: {{X-Token: "${{TRUNK_TOKEN}}"}}
callers: [{{number: {caller}}}]
destinations: [{{number: {callee}, network: verizon, consent: a far end}}]
call: {{ring_limit: 3s, hold: 300ms}}
limits: none
schedule: {{calendar: {{days: 1, at: 00:00, since: 2099-01-01}}}}
webhook: {{url: "http://127.0.0.1:{hook}/${{HOOK_PATH}}", secret: "${{HOOK_SECRET}}"}}
"""
# Every library tells all that it has to tell.
LOUD = "import logging, sys\nlogging.basicConfig(level=logging.DEBUG, stream=sys.stderr)\n"
# Commands one after the other: to start a process for each takes longer than they do.
SEVERAL = """
import json, os, sys
from probe.cli.main import run
for command in json.loads(sys.argv[1]):
    os.environ["PROBE_STORE"] = os.environ.get(command[0]) or os.environ["PROBE_STORE"]
    print(run([word for word in command if word not in os.environ]), flush=True)
"""
# A fault where the secrets are at hand: what it was called with stands in the traceback.
BREAKS = """
import sys
from probe.agent import dialling, pool
def broken(*given, **more):
    raise RuntimeError(f"broken with {given} {more} {account(*given)} {sys._getframe(1).f_locals}")
account = dialling.account
pool.account = broken
from probe.__main__ import main
main()
"""
ENDPOINT_BREAKS = """
from probe.cli import scenarios
def broken(endpoint):
    raise RuntimeError(f"broken with {endpoint}")
scenarios.check_endpoint = broken
from probe.__main__ import main
main()
"""


def forms(secret):
    """What a secret may look like in a file: as it is, in hex, in base64 at any place, percent-encoded."""
    raw = secret.encode()
    yield secret
    yield raw.hex()
    yield "".join(f"%{byte:02x}" for byte in raw)
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        yield whole[-(-before * 8 // 6) : len(raw + b"\0" * before) * 8 // 6]


def found(secrets, written):
    """Which of the secrets stand in it, in whatever form."""
    lower = written.lower()
    return {secret for secret in secrets for form in forms(secret) if form.lower().encode() in lower}


@pytest.mark.parametrize("around", ["{}", "x{}y", '{{"a": "--{}"}}', "<a href='{}'>"])
def test_the_search_finds_a_secret_in_each_form(around):
    text = around.format(SIP).encode()
    percent = urllib.parse.quote_from_bytes(text).encode()
    every = "".join(f"%{byte:02X}" for byte in text).encode()
    for written in (text, text.hex().encode(), text.hex().upper().encode(), base64.b64encode(text), percent, every):
        assert {SIP} == found([SIP, HOOK], b"before" + written + b"after")
        assert {SIP} == found([SIP, HOOK], base64.b64encode(b"k" * len(around) + text))


class FailingHook(ThreadingHTTPServer):
    """Takes what is posted, checks its signature, says what it was sent, and fails."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Fails)
        self.paths = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


class _Fails(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Webhook(SECRETS["HOOK_SECRET"]).verify(body, dict(self.headers))
        self.server.paths.append(self.path)
        self.send_response(500, f"no {self.path}")
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers}".encode())

    def log_message(self, *_):
        """Keep the test's output clean."""


class Carrier:
    """Asks for digest and blocks; sees the processes of the machine while a call is under way."""

    def __init__(self):
        self.processes = {}

    def __call__(self, asked):
        if asked.method == "OPTIONS":
            yield reply(asked, "200 OK")
        if asked.method not in {"REGISTER", "INVITE"}:
            return
        if asked.header("Authorization") is None:
            yield reply(asked, "401 Unauthorized", 'WWW-Authenticate: Digest realm="far", nonce="n1", qop="auth"')
        elif asked.method == "REGISTER":
            yield reply(asked, "200 OK", f"Contact: {asked.header('Contact')};expires=300")
        else:
            self.processes |= running()
            reason = 'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN'
            yield reply(asked, "603 Network Blocked", reason, f"X-Token: {asked.header('X-Token')}")


def running():
    """Command line and environment of every process."""
    seen = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            seen[place.name] = ((place / "cmdline").read_bytes(), (place / "environ").read_bytes())
        except OSError:
            continue
    return seen


class Round:
    """Runs commands with the secrets in the environment, and keeps every byte of what they say."""

    def __init__(self, folder, scenario):
        self.folder, self.scenario = folder, scenario
        self.said = b""
        (folder / "packages").mkdir(parents=True)
        (folder / "packages" / "sitecustomize.py").write_text(LOUD)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROBE_")}
        self.environment = (
            clean
            | SECRETS
            | {
                "PYTHONPATH": str(folder / "packages"),
                "PYTHONDEVMODE": "1",
                "PYTHONWARNINGS": "ignore",
                "PROBE_STORE": f"sqlite:///{folder / 'results' / 'probe.db'}",
            }
        )

    def __call__(self, *arguments, script=None, env=None):
        program = ["-c", script] if script else ["-m", "probe"]
        done = subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            capture_output=True,
            check=False,
            timeout=60,
            cwd=self.folder,
            env=self.environment | (env or {}),
        )
        self.said += done.stdout + done.stderr
        return done

    @property
    def written(self):
        """Everything: what was said, and every file."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and "packages" not in path.parts]
        return self.said + b"".join(path.read_bytes() for path in files)


@pytest.fixture(scope="module")
def carrier_and_hook():
    script = Carrier()
    with FarEnd(script, "tcp") as far, FailingHook() as hook:
        yield far, hook, script


@pytest.fixture(scope="module")
def whole_round(carrier_and_hook, tmp_path_factory):
    """One round with every command after it."""
    far, hook, _ = carrier_and_hook
    folder = tmp_path_factory.mktemp("round")
    scenario = tmp_path_factory.mktemp("scenario") / "watched.yaml"
    text = SCENARIO.format(port=far.port, hook=hook.server_port, caller=CALLER, callee=CALLEE)
    scenario.write_text(text)
    run = Round(folder, scenario)
    check = run("check", scenario, "--json", "--junit", "junit.xml")
    call_id = json.loads(check.stdout)["id"]
    run("call", CALLEE, "--from", CALLER, "--scenario", scenario, "--pcap", "call.pcap")
    with Daemon(folder / "results", scenario, env=run.environment) as daemon:
        daemon.open_round(60, 1)
        daemon.wait_for("not_delivered", 30)
        daemon.stop()
    commands = (
        ("doctor", scenario),
        ("validate", scenario),
        ("show", call_id),
        ("calls", "--json"),
        ("standing",),
        ("report", "-o", "report.html"),
        ("redress", CALLER, "-o", "redress"),
        ("webhook", "test", scenario),
        ("webhook", "list"),
    )
    run(json.dumps(commands, default=str), script=SEVERAL)
    return run


def test_the_secrets_were_used_and_the_files_are_those_that_hold_the_calls(whole_round, carrier_and_hook):
    far, hook, _ = carrier_and_hook
    assert f"/{TOKEN}" in hook.paths
    wire = b"".join(far.heard)
    assert {TOKEN} == found([TOKEN], wire)
    assert re.search(rb'response="[0-9a-f]{32}"', wire)
    assert b"a=crypto:" in wire
    files = [path for path in whole_round.folder.rglob("*") if path.is_file()]
    kept = {path.name for path in files if CALLER in path.read_text("latin-1")}
    assert {"probe.db", "junit.xml", "call.pcap", "report.html", "facts.csv", "letter.md"} <= kept
    assert any(name.endswith(".pcap") for name in kept - {"call.pcap"})
    assert any(name.endswith(".sip.txt") for name in kept)
    assert any(path.suffix == ".log" for path in files)
    assert b"Authorization: (cut)" in whole_round.written
    assert b"X-Token: (cut)" in whole_round.written
    assert b"DEBUG:" in whole_round.said


def test_no_secret_stands_in_anything_that_was_written(whole_round):
    assert set() == found([SIP, HOOK, TOKEN, SECRETS["HOOK_SECRET"]], whole_round.written)


def test_no_digest_and_no_key_of_media_stands_in_anything_that_was_written(whole_round, carrier_and_hook):
    far, _, _ = carrier_and_hook
    wire = b"".join(far.heard)
    digests = re.findall(rb'(?:response|cnonce)="([^"]+)"', wire)
    keys = re.findall(rb"inline:([^\s|]+)", wire)
    assert len(digests) >= 4
    assert len(keys) >= 8
    assert [] == [one for one in (*digests, *keys) if one in whole_round.written]


def test_no_secret_stands_in_a_command_line_and_children_inherit_none(whole_round, carrier_and_hook):
    _, _, script = carrier_and_hook
    lines = [line for line, _ in script.processes.values()]
    assert any(b"watched.yaml" in line for line in lines)
    assert set() == found([SIP, HOOK, TOKEN], b"\n".join(lines))
    children = [environment for line, environment in script.processes.values() if b"probe.agent.child" in line]
    mine = [environment for environment in children if str(whole_round.folder).encode() in environment]
    assert mine
    assert set() == found([SIP, HOOK, TOKEN], b"".join(mine))


@pytest.mark.parametrize("script", [BREAKS, ENDPOINT_BREAKS])
def test_a_traceback_shows_no_secret(whole_round, script):
    done = whole_round("check", whole_round.scenario, script=script)
    assert b"Traceback" in done.stderr
    assert b"broken with" in done.stderr
    assert set() == found([SIP, HOOK, TOKEN], done.stdout + done.stderr)


def test_no_error_of_the_database_shows_its_password(whole_round, postgresql):
    postgresql.run(f"DO $$ BEGIN CREATE ROLE {GUARDED} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    postgresql.run(f"ALTER ROLE {GUARDED} PASSWORD 'another'")
    url = postgresql.database(f"OWNER {GUARDED}").replace("probe@", f"{GUARDED}:{DATABASE}@")
    nowhere = f"postgresql://probe:{DATABASE}@127.0.0.1:1/probe"
    wrong = [url, nowhere, f"postgresql://probe:%zz{DATABASE}@[::1/probe"]
    wrong += [f"postgrsql://probe:{DATABASE}@127.0.0.1/probe", f"postgresql://probe:{DATABASE}@127.0.0.1:x/probe"]
    environment = {f"STORE_{number}": one for number, one in enumerate(wrong)}
    commands = [*((name, "status") for name in environment), ("STORE_0", "doctor", whole_round.scenario)]
    done = whole_round(json.dumps(commands, default=str), script=SEVERAL, env=environment)
    assert b"does not take this user and password" in done.stdout + done.stderr
    assert set() == found([DATABASE], done.stdout + done.stderr)
