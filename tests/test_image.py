"""The container image and the compose file: built and run as a user would."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from agent.conftest import missing
from asterisk import container
from container_image import RELEASE, ROOT, build, size
from daemon_process import SECRET, wait_until

DATA = Path(__file__).parent / "data"
POSTGRES = "docker.io/library/postgres:17"
DECOYS = (".env", ".git/config", "results/probe.db", "probe/secret.db", "tests/password", ".venv/bin/python")
BUILDERS = ("cc", "c++", "gcc", "make", "swig", "pip", "git", "curl")
LARGEST = 320e6
ASTERISK_CALLS = 8  # of scenarios/daemon.yaml

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500), pytest.mark.xdist_group("image")]


@dataclass(frozen=True)
class Engine:
    """Podman or Docker, with what this machine needs for it to run a container."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, **given: str) -> "subprocess.CompletedProcess[str]":
        command = [self.name, *words]
        environment = os.environ | self.environment | given
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)

    def did(self, *words: str, **given: str) -> str:
        done = self(*words, **given)
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def engine(image: str, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Where no limit may be raised, Podman is told so in a file; nowhere else."""
    plain = Engine(container.find_engine())
    tried = plain("run", "--rm", image, "explain", "603")
    if not (tried.returncode and container.LIMITS_REFUSED.search(tried.stderr)):
        return plain
    settings = tmp_path_factory.mktemp("engine") / "containers.conf"
    settings.write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\nruntime = "runc"\n'
    )
    return Engine(plain.name, {"CONTAINERS_CONF": str(settings)})


@pytest.fixture(scope="module")
def image() -> str:
    """Make the image. Where there can be none, CI fails; a developer's run skips and says what is missing."""
    try:
        name = container.find_engine()
    except container.CarrierError as error:
        missing(str(error))
    return build(name)


def inside(engine: Engine, image: str, script: str, *options: str) -> str:
    return engine.did("run", "--rm", "--network=none", "--entrypoint=sh", *options, image, "-c", script).strip()


@contextmanager
def running(engine: Engine, image: str, *words: str, options: tuple[str, ...] = ()) -> Iterator[str]:
    name = f"probe-test-{uuid.uuid4().hex[:8]}"
    engine.did("run", "--detach", "--network=none", "--name", name, *options, image, *words)
    try:
        yield name
    finally:
        engine("rm", "--force", "--volumes", name)


def is_healthy(engine: Engine, name: str) -> bool:
    """Docker asks by itself; Podman does where there is systemd, and whenever it is told to."""
    if engine.name == "podman":
        return 0 == engine("healthcheck", "run", name).returncode
    return "healthy" == engine.did("inspect", "--format", "{{.State.Health.Status}}", name).strip()


def test_without_arguments_it_runs_the_demo_with_no_network_no_rights_and_nothing_to_write_on_but_its_results(
    engine: Engine, image: str
):
    bare = ("--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
    said = engine.did("run", "--rm", *bare, image)

    assert "18 calls: 6 as expected, 12 NOT as expected" in said
    assert "9 call.blocked, 1 round.completed" in said


def test_arguments_are_those_of_probe_and_its_exit_code_is_the_containers(engine: Engine, image: str):
    assert "rejected_ambiguous" in engine.did("run", "--rm", "--network=none", image, "explain", "603")
    assert 2 == engine("run", "--rm", "--network=none", image, "explain", "nonsense", "and more").returncode


def test_it_is_not_root_and_may_change_nothing_of_the_program(engine: Engine, image: str):
    assert "10001 10001" == inside(engine, image, "echo $(id -u) $(id -g)")
    writable = "find / -xdev -type d -writable -not -path '/proc*' -not -path '/dev*' | sort | tr '\\n' ' '"
    assert {"/probe/results", "/tmp", "/var/tmp"} >= set(inside(engine, image, writable).split()) - {"/run/lock"}


def test_it_has_the_native_agent_and_openssl_3(engine: Engine, image: str):
    secret = f"--env=PROBE_DEMO_SECRET={SECRET}"
    told = engine("run", "--rm", "--network=none", secret, image, "doctor", "scenarios/demo.yaml")

    stack = r"^ok +sip stack +pjsua2 2\.\d+(\.\d+)?, native build: [\d,]+ calls a process"
    assert re.search(stack, told.stdout, re.MULTILINE), told.stdout + told.stderr
    assert re.search(r"^ok +sip tls +OpenSSL 3.*TLS 1\.3", told.stdout, re.MULTILINE), told.stdout
    assert 3 == told.returncode  # no carrier is there


@pytest.mark.parametrize("builder", BUILDERS)
def test_nothing_that_builds_is_in_it(engine: Engine, image: str, builder: str):
    assert "none" == inside(engine, image, f"command -v {builder} || echo none")


def test_it_holds_the_programs_own_files_and_no_other(engine: Engine, image: str):
    kept = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "probe", "scenarios"]
    expected = subprocess.run(kept, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    site = "cd .venv/lib/python3*/site-packages && find probe -type f -not -name '*.pyc'"
    found = inside(engine, image, f"find scenarios -type f; {site}").split()

    assert sorted(name for name in expected if (ROOT / name).exists()) == sorted(found)
    assert [".venv"] == inside(engine, image, "ls -A | grep '^\\.'").split()
    assert "results" == inside(engine, image, "ls -d results; ls -A results")


def test_no_secret_of_the_folder_it_is_made_in_reaches_the_build(engine: Engine, tmp_path: Path):
    for name in (*DECOYS, "probe/__init__.py", ".ci/pjsua2"):
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_text("a secret")
    shutil.copy(ROOT / ".dockerignore", tmp_path / "from")
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY . /\n")
    out = f"--output=type=local,dest={tmp_path / 'to'}"
    name = f"probe-test-{uuid.uuid4().hex[:8]}"
    engine.did("build", out, f"--tag={name}", f"--file={tmp_path / 'Containerfile'}", str(tmp_path / "from"))
    engine("image", "rm", name)

    files = {str(file.relative_to(tmp_path / "to")) for file in (tmp_path / "to").rglob("*") if file.is_file()}
    assert {"probe/__init__.py", ".ci/pjsua2"} == files


def test_it_is_small(engine: Engine, image: str):
    assert size(engine.name, image) < LARGEST


def test_it_says_its_licence_and_brings_the_source_that_the_gpl_asks_for(engine: Engine, image: str, tmp_path: Path):
    labels = json.loads(engine.did("image", "inspect", image))[0]["Config"]["Labels"]
    assert "MIT AND GPL-2.0-or-later" == labels["org.opencontainers.image.licenses"]

    engine.did(
        *("run", "--rm", "--network=none", "--user=0", f"--volume={tmp_path}:/out", "--entrypoint=sh"),
        image,
        *(
            "-c",
            "cp -r /usr/share/doc/pjsua2/. /out",
        ),
    )
    (tarball,) = tmp_path.glob("*.tar.*")
    with tarfile.open(tarball) as source:
        assert any(name.endswith("/pjsip/src/pjsip/sip_transport.c") for name in source.getnames())
    assert (ROOT / ".ci" / "pjsua2").read_bytes() == (tmp_path / "pjsua2").read_bytes()


def test_a_daemon_is_healthy_while_it_runs_and_ends_when_it_is_told(engine: Engine, image: str):
    daemon = ("run", "scenarios/daemon.yaml")
    with running(engine, image, *daemon, options=("--env=PROBE_TEST_PASSWORD=x",)) as name:
        wait_until(lambda: is_healthy(engine, name), 60, lambda: engine("logs", name).stderr)
        engine.did("stop", "--time=20", name)
        assert "0" == engine.did("inspect", "--format", "{{.State.ExitCode}}", name).strip()


def test_the_demo_ends_when_it_is_told(engine: Engine, image: str):
    with running(engine, image) as name:
        wait_until(lambda: "listens" in engine("logs", name).stdout)
        engine.did("stop", "--time=20", name)
        assert "143" == engine.did("inspect", "--format", "{{.State.ExitCode}}", name).strip()


def test_where_no_daemon_answers_it_is_not_healthy(engine: Engine, image: str):
    with running(engine, image, "sim") as name:
        wait_until(lambda: "listens" in engine("logs", name).stdout)
        assert not is_healthy(engine, name)


def test_a_later_python_without_the_agent_is_told_what_to_do(engine: Engine, image: str):
    """The image's own Python, beside the environment that has pjsua2."""
    words = ("-m", "probe", "explain", "603")
    mounted = (f"--volume={ROOT / 'probe'}:/mnt/probe:ro", "--env=PYTHONPATH=/mnt", "--entrypoint=/usr/bin/python3")
    told = engine("run", "--rm", "--network=none", *mounted, image, *words)

    assert 2 == told.returncode
    assert "`make pjsua2`" in told.stderr


# The compose file.


@dataclass(frozen=True)
class Stack:
    """What the compose file brings up, under a name of its own."""

    engine: Engine
    project: str
    settings: dict[str, str]

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        compose = [*composer(self.engine), "--project-name", self.project, "--file", str(ROOT / "compose.yaml")]
        environment = os.environ | self.engine.environment | self.settings
        return subprocess.run(
            [*compose, *words], capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=600
        )

    def probe(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self("exec", "-T", "probe", "probe", *words)


def composer(engine: Engine) -> list[str]:
    return [sys.executable, "-m", "podman_compose"] if engine.name == "podman" else ["docker", "compose"]


def postgresql(engine: Engine) -> str:
    """The registry's image if one can be reached, else Debian's PostgreSQL behind the same settings."""
    if container.pulled(engine.name, POSTGRES):
        return POSTGRES
    base = f"--build-arg=BASE={container.debian(engine.name, RELEASE)}"
    flags = ["--pull=never", "--isolation=chroot"] if engine.name == "podman" else []
    name = "localhost/probe-test-postgresql"
    engine.did("build", "--network=host", *flags, base, f"--tag={name}", str(DATA / "postgresql"))
    return name


@pytest.fixture
def stack(engine: Engine, image: str) -> Iterator[Stack]:
    settings = {
        "PROBE_IMAGE": image,
        "CARRIER_IMAGE": container.build(engine.name),
        "POSTGRES_IMAGE": postgresql(engine),
        "POSTGRES_PASSWORD": uuid.uuid4().hex,
        "PROBE_TEST_PASSWORD": uuid.uuid4().hex,
    }
    stack = Stack(engine, "probe-test", settings)
    stack("down", "--volumes", "--timeout=5")  # what an interrupted run left behind
    try:
        yield stack
    finally:
        stack("down", "--volumes", "--timeout=5")


def daemon_answers() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:9616/healthz", timeout=5) as answer:
            return bool(b"ok\n" == answer.read())
    except OSError:
        return False  # it starts again until the database answers


def test_compose_brings_up_probe_postgresql_and_asterisk(stack: Stack):
    up = stack("up", "--detach")
    assert 0 == up.returncode, up.stdout + up.stderr
    wait_until(daemon_answers, 90, lambda: stack("logs").stdout)

    checked = stack.probe("check", "scenarios/daemon.yaml", "--json")
    calls = [json.loads(line) for line in checked.stdout.splitlines() if line.startswith("{")]
    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert ASTERISK_CALLS == len([call for call in calls if call["caller"] != "+12025550100"])
    assert {"analytics_blocked"} == {
        call["verdict"]["disposition"] for call in calls if call["caller"] in {"+12025550102", "+12025550103"}
    }
    assert {call["id"] for call in calls} <= set(re.findall(r'"id": "([^"]+)"', stack.probe("calls", "--json").stdout))
    barred = stack("exec", "-T", "--env", "PGPASSWORD=wrong", "probe", "probe", "calls")
    assert 3 == barred.returncode, barred.stdout + barred.stderr


@pytest.mark.parametrize("secret", ["POSTGRES_PASSWORD", "PROBE_TEST_PASSWORD"])
def test_compose_asks_for_each_secret(engine: Engine, secret: str):
    others = {"POSTGRES_PASSWORD": "x", "PROBE_TEST_PASSWORD": "x"} | {secret: ""}
    told = Stack(engine, "probe-test-none", others)("config")

    assert 0 != told.returncode
    assert "choose a password" in told.stdout + told.stderr
