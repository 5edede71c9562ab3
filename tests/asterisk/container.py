"""The carrier container: takes a port, gives the addresses of a Kamailio edge with Asterisk behind it.

    container.py build | up | status | down   [--port PORT]

`up` makes the image if it is not there, starts a container and waits until Asterisk answers OPTIONS through the edge.
It prints the addresses as JSON. The test fixture `asterisk` uses the same functions.
"""

import argparse
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DEFAULT_PORT = 5080
DEFAULT_CA_FILE = HERE.parents[1] / "results" / "asterisk" / "ca.pem"
RELEASE = "forky"
OWNER_LABEL = "probe.asterisk"
KEPT = "kept"  # owner of a container that stays until `down`
READY_WITHIN_S = 60.0
PULL_WITHIN_S = 90.0
BUILD_WITHIN_S = 540.0
PORTS = (
    138  # three for SIP, seven spare, 128 for RTP: 32 calls with room for their RTCP and for ports not yet given back
)

# What an engine says where it may not raise limits, or where its runtime cannot use the machine's cgroups.
LIMITS_REFUSED = re.compile(r"rlimit|cgroup", re.IGNORECASE)
MODEST_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


class CarrierError(Exception):
    """The container could not be brought up; the sentence says what to install or to free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Where a running carrier listens: SIP over UDP and TCP on `port`, over TLS on `tls_port`, on `host` and on [::1].

    `ca_file` is the PEM file that the edge's certificate (localhost, sbc.example.com, 127.0.0.1, ::1) verifies against.
    """

    name: str
    port: int
    username: str
    password: str
    ca_file: str
    host: str = "127.0.0.1"

    @property
    def tls_port(self) -> int:
        return self.port + 1

    @property
    def asterisk_port(self) -> int:
        return self.port + 2

    @property
    def rtp_ports(self) -> range:
        return range(self.port + 10, self.port + PORTS)


def addresses(carrier: Carrier) -> dict[str, object]:
    """Give everything that a caller needs to know, for JSON."""
    uris = {
        "udp": f"sip:{carrier.host}:{carrier.port};transport=udp",
        "tcp": f"sip:{carrier.host}:{carrier.port};transport=tcp",
        "tls": f"sip:localhost:{carrier.tls_port};transport=tls",
    }
    return asdict(carrier) | {"tls_port": carrier.tls_port, "asterisk_port": carrier.asterisk_port, "uris": uris}


def up(port: int = DEFAULT_PORT, *, ca_file: Path = DEFAULT_CA_FILE, owner: str = KEPT) -> Carrier:
    """Bring a carrier up on `port` and the ports after it, and wait until it answers.

    What an interrupted run left behind is removed first. Raises CarrierError.
    """
    engine = find_engine()
    image = build(engine)
    _sweep(engine)
    down(f"probe-asterisk-{port}")
    if taken := _taken(port):
        raise CarrierError(f"Port {taken} is in use: end what listens there, or give another first port with --port.")
    ca_file.parent.mkdir(parents=True, exist_ok=True)
    carrier = Carrier(
        name=f"probe-asterisk-{port}", port=port, username="probe-user", password=_password(), ca_file=str(ca_file)
    )
    try:
        _run(engine, image, carrier, owner)
        _wait_until_ready(engine, carrier)
        ca_file.write_text(output(engine, "exec", carrier.name, "cat", "/run/carrier-tls/ca.pem"))
    except BaseException:
        down(carrier.name)
        raise
    return carrier


def down(name: str) -> bool:
    """Stop and remove the container of that name; False if there is none."""
    engine = find_engine()
    if name not in {_name(found) for found in _containers(engine)}:
        return False
    output(engine, "stop", "-t", "5", name)
    output(engine, "rm", "--force", name)
    return True


def status(port: int = DEFAULT_PORT, *, ca_file: Path = DEFAULT_CA_FILE) -> Carrier | None:
    """Find the carrier that answers on `port`, or None."""
    name = f"probe-asterisk-{port}"
    found = next((found for found in _containers(find_engine()) if _name(found) == name), None)
    if found is None or not found["State"]["Running"] or not _answers_options(port):
        return None
    environment = dict(line.split("=", 1) for line in found["Config"]["Env"])
    password = environment["PROBE_TEST_PASSWORD"]
    return Carrier(name=name, port=port, username="probe-user", password=password, ca_file=str(ca_file))


def free_port() -> int:
    """Find a port that is free with all those after it that a carrier takes, below the range the kernel hands out."""
    for _ in range(200):
        port = 20_000 + 2 * secrets.randbelow(5_900)
        if _taken(port) is None:
            return port
    raise CarrierError("No run of free ports between 20000 and 32000 was found: stop what listens there.")


def owner_of(pid: int) -> str:
    """Name a process so that a later one with the same number is not taken for it."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return f"{pid}:gone"
    return f"{pid}:{started}"


def find_engine() -> str:
    """Choose podman or docker, whichever works here."""
    for engine in ("podman", "docker"):
        if shutil.which(engine) and _call(engine, "info").returncode == 0:
            return engine
    raise CarrierError(
        "Neither podman nor docker works here: install podman and runc (Debian: apt-get install podman runc)."
    )


def build(engine: str) -> str:
    """Make the image, once for each state of its inputs, and give its name."""
    image = f"probe-asterisk:{_digest(_inputs())}"
    if has_image(engine, image):
        return image
    base = debian(engine, RELEASE)
    flags = ["--pull=never", "--isolation=chroot"] if engine == "podman" else []
    recipe = ["--file", str(HERE / "Containerfile"), "--build-arg", f"BASE={base}", "--tag", image, str(HERE)]
    output(engine, "build", "--network=host", *flags, *recipe)
    return image


def _password() -> str:
    password = os.environ.get("PROBE_TEST_PASSWORD") or secrets.token_hex(8)
    if not re.fullmatch(r"[\w.-]+", password, re.ASCII):
        raise CarrierError(
            "PROBE_TEST_PASSWORD does not fit into the configuration: use letters, digits, `.`, `_`, `-`."
        )
    return password


def _inputs() -> Iterator[Path]:
    yield HERE / "Containerfile"
    yield from sorted((HERE / "etc").iterdir())


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def debian(engine: str, release: str) -> str:
    """Find the Debian image: the registry's if one can be reached, else one made of Debian's packages."""
    own, registry = f"probe-debian:{release}", f"docker.io/library/debian:{release}-slim"
    if has_image(engine, own):
        return own
    if pulled(engine, registry):
        return registry
    if not shutil.which("mmdebstrap"):
        raise CarrierError(f"{engine} could not pull {registry}: reach a registry, or install mmdebstrap.")
    with tempfile.TemporaryDirectory(prefix="probe-debian-") as directory:
        tar = f"{directory}/base.tar"
        output("mmdebstrap", *_mmdebstrap_options(), release, tar, *_mirror())
        output(engine, "import", tar, own)
    return own


def pulled(engine: str, image: str) -> bool:
    """Say whether an image of a registry is here, or could be had."""
    try:
        return has_image(engine, image) or _call(engine, "pull", image, within_s=PULL_WITHIN_S).returncode == 0
    except CarrierError:
        return False  # a registry that does not even say no


def _mmdebstrap_options() -> list[str]:
    # The Release file of a mirror of testing may have passed its date.
    slim = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
    return ["--variant=minbase", '--aptopt=Acquire::Check-Valid-Until "false"', "--include=ca-certificates", *slim]


def _mirror() -> list[str]:
    """Give the mirror that this machine's own apt uses, if it is a Debian machine with package lists."""
    if not shutil.which("apt-get"):
        return []
    seen = _call("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages").stdout
    mirrors = [line.split()[1] for line in seen.splitlines() if line.startswith("Debian ")]
    return mirrors[:1]


def _run(engine: str, image: str, carrier: Carrier, owner: str) -> None:
    rtp = carrier.rtp_ports
    settings = {
        "EDGE_PORT": carrier.port,
        "EDGE_TLS_PORT": carrier.tls_port,
        "ASTERISK_PORT": carrier.asterisk_port,
        "RTP_START": rtp.start,
        "RTP_END": rtp.stop - 1,
        "PROBE_TEST_PASSWORD": carrier.password,
    }
    # Names only: a value on the command line could be read by every user of the machine.
    named = [word for name in settings for word in ("--env", name)]
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    options = ["--detach", "--name", carrier.name, "--label", f"{OWNER_LABEL}={owner}", "--network=host", *named]
    ran = _call(engine, "run", *options, image, environment=environment)
    if ran.returncode and LIMITS_REFUSED.search(ran.stderr):
        _call(engine, "rm", "--force", carrier.name)
        ran = _call(*_with_runc(engine), "run", *MODEST_LIMITS, *options, image, environment=environment)
    if ran.returncode:
        raise CarrierError(f"{engine} could not start {carrier.name}: {_last_line(ran.stderr)}")


def _with_runc(engine: str) -> list[str]:
    """Name the runtime that also knows hybrid cgroups; docker brings it along."""
    if engine != "podman":
        return [engine]
    if not shutil.which("runc"):
        raise CarrierError("podman's runtime cannot use this machine's cgroups or limits: install runc.")
    return [engine, "--runtime", "runc"]


def _wait_until_ready(engine: str, carrier: Carrier) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if _answers_options(carrier.port):
            return
        if output(engine, "inspect", "--format", "{{.State.Running}}", carrier.name).strip() != "true":
            break
    logs = _call(engine, "logs", carrier.name)
    raise CarrierError(f"{carrier.name} did not get ready; its last words: {_last_line(logs.stdout + logs.stderr)}")


def _answers_options(port: int) -> bool:
    """Ask once, for up to 0.3 s, whether Asterisk answers OPTIONS through the edge."""
    deadline = time.monotonic() + 0.3
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", port))
        here = "{}:{}".format(*line.getsockname())
        request = (
            f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{uuid.uuid4().hex}\r\n"
            f"From: <sip:ready@{here}>;tag=ready\r\nTo: <sip:127.0.0.1:{port}>\r\nContact: <sip:ready@{here}>\r\n"
            f"Call-ID: {uuid.uuid4().hex}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            line.send(request.encode())
            line.settimeout(max(deadline - time.monotonic(), 0.01))
            return line.recv(65_535).startswith(b"SIP/2.0 200 ")
        except ConnectionRefusedError:
            time.sleep(0.05)  # nothing listens yet
        except TimeoutError:
            pass
    return False


def _taken(port: int) -> int | None:
    """Find the first port of the block at `port` that somebody else has."""
    with ExitStack() as held:
        for number in range(port, port + PORTS):
            try:
                held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", number))
                if number in {port, port + 1}:
                    held.enter_context(socket.create_server(("127.0.0.1", number)))
            except OSError:
                return number
    return None


def _sweep(engine: str) -> None:
    """Remove the containers whose owner is no longer there."""
    for found in _containers(engine):
        owner = found["Config"]["Labels"][OWNER_LABEL]
        if owner != KEPT and owner_of(int(owner.split(":")[0])) != owner:
            _call(engine, "rm", "--force", _name(found))


def _containers(engine: str) -> list[dict[str, Any]]:
    ids = output(engine, "ps", "--all", "--quiet", "--filter", f"label={OWNER_LABEL}").split()
    return [found for id_ in ids for found in json.loads(_call(engine, "inspect", id_).stdout or "[]")]


def _name(found: dict[str, Any]) -> str:
    return str(found["Name"]).removeprefix("/")


def has_image(engine: str, image: str) -> bool:
    return _call(engine, "image", "inspect", image).returncode == 0


def output(*command: str) -> str:
    ran = _call(*command)
    if ran.returncode:
        raise CarrierError(f"`{' '.join(command[:2])}` failed: {_last_line(ran.stderr)}")
    return ran.stdout


def _call(
    *command: str, environment: dict[str, str] | None = None, within_s: float = BUILD_WITHIN_S
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=within_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CarrierError(f"`{' '.join(command[:2])}` took longer than {within_s:.0f} s.") from error


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing was said")


def main() -> int:
    parser = argparse.ArgumentParser(description="Bring the carrier container (Kamailio and Asterisk) up and down.")
    parser.add_argument("command", choices=("build", "up", "status", "down"))
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="first of its ports (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        return _obey(arguments.command, arguments.port)
    except CarrierError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _obey(command: str, port: int) -> int:
    if command == "build":
        sys.stdout.write(f"{build(find_engine())}\n")
        return 0
    if command == "down":
        return 0 if down(f"probe-asterisk-{port}") else 1
    carrier = status(port) or (up(port) if command == "up" else None)
    if carrier is None:
        sys.stderr.write(f"No carrier answers on port {port}: run `up`.\n")
        return 1
    sys.stdout.write(json.dumps(addresses(carrier), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
