"""`.ci/pjsua2`: a source in, a wheel out that satisfies the same requirement; what it says when it cannot.

The source here is a small one of the same layout, so that the script runs whole in seconds: configure, make, swig, the
compiler, the wheel. The real one is built by `make pjsua2`, and CI runs every test on it.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from agent.conftest import missing

SCRIPT = Path(__file__).parents[1] / ".ci" / "pjsua2"
ROOMS = ("pjlib", "pjlib-util", "pjnath", "third_party", "pjmedia", "pjsip")
VERSION = "export PJ_VERSION_MAJOR  := 2\nexport PJ_VERSION_MINOR  := 17\nexport PJ_VERSION_REV    :={}\n"
CONFIGURE = 'test "$CFLAGS" && echo configured >> "$PROBE_TEST_LOG"\n'
MAKEFILE = "lib:\n\tcc -c -fPIC -Ipjlib/include -o seven.o seven.c && ar rc pjlib/lib/libseven.a seven.o\n"
SOURCE = "#include <pj/config_site.h>\nint most_calls(void) { return PJSUA_MAX_CALLS; }\n"
HELPER = "ldflags:\n\t@echo -L../../../../pjlib/lib\nlibs:\n\t@echo seven\ncflags:\n\t@echo -DSEVEN\n"
INTERFACE = '%module pjsua2\n%{ extern "C" int most_calls(void); %}\nint most_calls(void);\n'


@pytest.fixture(scope="module")
def tools():
    lacking = subprocess.run([SCRIPT, "missing"], capture_output=True, text=True, check=True).stdout.strip()
    if lacking:
        missing(f"building pjsua2 needs {lacking}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    """pjproject's layout, with one function in it."""
    tree = folder / "pjproject-2.17"
    files = {
        "version.mak": VERSION.format(""),
        "configure": CONFIGURE,
        "Makefile": MAKEFILE,
        "seven.c": SOURCE,
        "pjlib/include/pj/readme": "",
        "pjmedia/build/Makefile": "OBJS += bb10_dev.o bdimad_dev.o \\\n",
        "pjsip/src/pjsip/sip_transport.c": "",
        "pjsip-apps/src/swig/pjsua2.i": INTERFACE,
        "pjsip-apps/src/swig/python/helper.mak": HELPER,
    }
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    for room in ROOMS:
        (tree / room / "include").mkdir(parents=True, exist_ok=True)
    return tree


@pytest.fixture(scope="module")
def built(folder: Path, source: Path, tools: None) -> "subprocess.CompletedProcess[str]":  # noqa: ARG001 - it must be there
    return build(folder, source)


def build(tmp_path: Path, source: Path | str, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = {
        "PJPROJECT_SOURCE": str(source),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PROBE_TEST_LOG": str(tmp_path / "log"),
    }
    return subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, check=False, env=os.environ | given | environment
    )


def configured(tmp_path: Path) -> int:
    log = tmp_path / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def packed(source: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:xz") as tarball:
        tarball.add(source, "pjsip-pjproject-0123456")
    return archive


def test_the_wheel_satisfies_what_probe_requires_and_holds_two_thousand_calls(
    tmp_path: Path, built: "subprocess.CompletedProcess[str]"
):
    assert 0 == built.returncode, built.stderr
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, built.stdout.strip()], check=True)

    ask = "import importlib.metadata as m, pjsua2; print(m.version('pjsua2-python'), pjsua2.most_calls())"
    told = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": site}
    )
    assert "2.17 2048" == told.stdout.strip()


def test_the_same_source_is_built_once(folder: Path, source: Path, built: "subprocess.CompletedProcess[str]"):
    again = build(folder, source)

    assert built.stdout == again.stdout
    assert "" == again.stderr
    assert 1 == configured(folder)


@pytest.mark.usefixtures("built")
def test_the_tree_given_is_left_as_it_was(source: Path):
    assert not list(source.rglob("*.o"))
    assert not list(source.rglob("config_site.h"))
    assert "OBJS += bb10_dev.o bdimad_dev.o \\\n" == (source / "pjmedia/build/Makefile").read_text()


@pytest.mark.usefixtures("tools")
def test_a_tarball_will_do(tmp_path: Path, source: Path):
    from_tarball = build(tmp_path, packed(source, tmp_path / "pjproject.tar.xz"))

    assert 0 == from_tarball.returncode, from_tarball.stderr
    assert Path(from_tarball.stdout.strip()).name.startswith("pjsua2_python-2.17-cp3")


def test_another_source_is_built_anew_and_a_build_that_fails_shows_its_last_words_and_leaves_nothing(
    tmp_path: Path, folder: Path, source: Path, built: "subprocess.CompletedProcess[str]"
):
    other = tmp_path / "other"
    shutil.copytree(source, other)
    (other / "seven.c").write_text("int most_calls(void) { return seven; }\n")
    failed = build(folder, other)

    assert 1 == failed.returncode
    assert "'seven' undeclared" in failed.stderr
    assert "`make -j" in failed.stderr
    assert "" == failed.stdout
    assert [Path(built.stdout.strip()).parent] == list((folder / "cache" / "probe").iterdir())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere.tar.gz", "there is no "),
        (".", "is not pjproject's source: it has no version.mak"),
        ("other.tar", "is not a tarball of pjproject: it has no version.mak in its one folder"),
        ("text.tar", "is not a tarball"),
        ("nameless.tar", "names no version"),
    ],
)
@pytest.mark.usefixtures("tools")
def test_a_source_that_is_none_is_told_in_a_sentence(tmp_path: Path, given: str, words: str):
    (tmp_path / "text.tar").write_text("not a tarball")
    with tarfile.open(tmp_path / "other.tar", "w") as tarball:
        tarball.add(tmp_path / "text.tar", "folder/text")
    with tarfile.open(tmp_path / "nameless.tar", "w") as tarball:
        tarball.add(tmp_path / "text.tar", "folder/version.mak")
    built = build(tmp_path, tmp_path / given)

    assert 1 == built.returncode
    assert words in built.stderr
    assert "Traceback" not in built.stderr


def test_without_the_tools_it_says_what_to_install(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    built = build(tmp_path, "nowhere", PATH=str(tmp_path / "bin"))

    assert 1 == built.returncode
    assert "As root on Debian: apt-get install build-essential swig libssl-dev libsrtp2-dev" in built.stderr
    assert not (tmp_path / "cache").exists()


def test_without_a_header_it_names_its_package(tmp_path: Path):
    """A compiler that finds no header of any library."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cc", "c++", "make", "swig"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    built = build(tmp_path, "nowhere", PATH=f"{folder}:{Path(shutil.which('sh') or '/bin/sh').parent}")

    assert "apt-get install libssl-dev libsrtp2-dev\n" in built.stderr
