"""Secrets from a file that only its owner reads, and from the keyring: what is taken, and what is refused."""

import base64
import os
import re

import pytest

SECRET = "c0ffee-5ec7e7"
LINE = SECRET.encode() + b"\n"
HOOK = "whsec_" + base64.b64encode(b"c0ffee5ec7e7" * 3).decode()
SCENARIO = """
trunk: {{name: local, uri: "sip:127.0.0.1:5060", username: me, password: "{password}"}}
callers: [{{number: +12025550101}}]
destinations: [{{number: +12025550191, consent: our own test line}}]
webhook: {{url: "http://127.0.0.1:1/x", secret: "{secret}"}}
"""
# The two names that probe uses of the package: get_password, and any exception.
KEYRING = """
def get_password(service, name):
    if service == "locked":
        raise RuntimeError("c0ffee-5ec7e7 must not be told")
    return {"carrier-a/me": "c0ffee-5ec7e7"}.get(service + "/" + name)
"""


@pytest.fixture
def validate(probe, tmp_path):
    def validate(password, secret="${HOOK_SECRET}"):
        path = tmp_path / "kept.yaml"
        path.write_text(SCENARIO.format(password=password, secret=secret))
        (tmp_path / "packages").mkdir(exist_ok=True)
        said = probe("validate", path, env={"HOOK_SECRET": HOOK, "PYTHONPATH": str(tmp_path / "packages")})
        assert SECRET not in said.out + said.err
        return said.code, re.sub(r"^probe: \S*", "", said.err).strip()

    return validate


@pytest.fixture
def keep(tmp_path):
    def keep(content=LINE, mode=0o600):
        path = tmp_path / "secret"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return keep


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_password_may_stand_in_a_file_that_only_its_owner_opens(validate, keep, mode):
    assert (0, "") == validate(f"${{file:{keep(mode=mode)}}}")


def test_a_webhook_secret_may_too(validate, keep):
    assert (0, "") == validate("${HOOK_SECRET}", f"${{file:{keep(HOOK.encode())}}}")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610, 0o666])
def test_a_file_that_others_may_open_is_refused(validate, keep, mode):
    place = keep(mode=mode)
    sentence = f"trunk.password names the file {place}, which others may open (mode {mode:04o}); chmod 600 it."
    assert (2, sentence) == validate(f"${{file:{place}}}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_refused(validate, keep):
    place = keep()
    os.chown(place, 12345, 12345)
    sentence = f"trunk.password names the file {place}, which belongs to somebody else; chown it to who runs probe."
    assert (2, sentence) == validate(f"${{file:{place}}}")


def test_a_file_that_is_not_there_is_told(validate, tmp_path):
    sentence = f"trunk.password names the file {tmp_path}/none, which cannot be read (No such file or directory)."
    assert (2, sentence) == validate(f"${{file:{tmp_path}/none}}")


def test_a_pipe_is_not_waited_for(validate, tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert (2, f"trunk.password names {tmp_path}/pipe, which is no file.") == validate(f"${{file:{tmp_path}/pipe}}")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"c0ffee-5ec7e7" * 10_000])
def test_a_file_that_holds_no_secret_is_told(validate, keep, content):
    place = keep(content)
    sentence = f"trunk.password names the file {place}, which holds no secret: one line of UTF-8."
    assert (2, sentence) == validate(f"${{file:{place}}}")


def test_a_file_of_two_lines_is_refused_without_its_words(validate, keep):
    sentence = "trunk.password holds a line break or a control character; take it out."
    assert (2, sentence) == validate(f"${{file:{keep(b'c0ffee-5ec7e7' + bytes([10]) + b'x')}}}")


@pytest.mark.parametrize(
    "place", ["file:secret", "file:", "keyring:one", "keyring:/x", "vault:/x/y", "file:/a}${file:/b"]
)
def test_other_places_than_these_are_no_places(validate, place):
    code, sentence = validate(f"${{{place}}}")
    assert 2 == code
    assert re.search("names no environment variable|cannot be read", sentence)


def test_the_keyring_is_asked_only_when_it_is_named(validate, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "keyring.py").write_text("raise SystemExit('imported')")
    assert (0, "") == validate("${HOOK_SECRET}")


def test_a_password_may_be_kept_by_the_keyring(validate, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "keyring.py").write_text(KEYRING)
    assert (0, "") == validate("${keyring:carrier-a/me}")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("carrier-a/you", "which the keyring does not hold; keyring set carrier-a you."),
        ("locked/me", "but the keyring does not open (RuntimeError); unlock it, or use a file."),
    ],
)
def test_what_the_keyring_does_not_give_is_told(validate, tmp_path, place, sentence):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "keyring.py").write_text(KEYRING)
    code, said = validate(f"${{keyring:{place}}}")
    assert (2, True) == (code, said.endswith(sentence)), said


def test_a_keyring_that_is_not_installed_is_told(validate, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "keyring.py").write_text("raise ModuleNotFoundError('keyring')")
    sentence = "trunk.password names the keyring, which needs a package: pip install 'probe[keyring]'."
    assert (2, sentence) == validate("${keyring:carrier-a/me}")


def test_a_trunk_that_is_not_safe_is_told_with_its_file(probe, tmp_path):
    path = tmp_path / "open.yaml"
    path.write_text(
        "trunk: {name: a, uri: 'sip:127.0.0.1:5060', srtp: required}\n"
        "callers: [{number: +12025550101}]\ndestinations: [{number: +12025550191, consent: our own}]\n"
    )
    said = probe("validate", path)
    sentence = "trunk.srtp is required, but its keys go over udp in the clear; write ;transport=tls."
    assert (0, f"probe: {path}: {sentence}\n") == (said.code, said.err)
    assert [sentence] == probe("validate", path, "--json").json["dangers"]
