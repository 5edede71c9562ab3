"""The rules of the house: which room may import what, how large a function may be, what must stand where."""

import ast
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROBE = ROOT / "probe"
PURE = ("sip", "verdict", "health", "scenario")
IMPURE = ("agent", "store", "webhook", "schedule", "fleet", "report", "sim")
# scenario/file.py is where the text of a file comes in; everything else there takes text.
READS_FILES = {"probe.scenario.file"}
OUTSIDE = {
    *("asyncio", "http", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil"),
    *("signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "uuid"),
    *("alembic", "apscheduler", "dns", "httpx", "pjsua2", "rich", "sqlalchemy", "tenacity", "uuid6"),
}
ONE_FILE_EACH = ("pjsua2", "httpx", "apscheduler", "procrastinate", "tenacity", "rich.text")
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "models", "types", "constants", "base", "core"}
SUFFIXES = ("Manager", "Handler", "Service", "Processor", "Helper")


@cache
def files() -> dict[str, Path]:
    return {module_of(file): file for file in sorted(PROBE.rglob("*.py"))}


@cache
def trees() -> dict[str, ast.Module]:
    return {module: ast.parse(file.read_text(), str(file)) for module, file in files().items()}


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= submodules
            # `from package import module` imports the module; only other names come from the package itself.
            if not submodules <= set(files()):
                names.add(node.module or "")
    return names


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def functions() -> list[tuple[str, int]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (f"{module}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1)
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, kinds) and node.end_lineno
    ]


@pytest.mark.parametrize("pure", PURE)
def test_a_pure_room_touches_nothing_outside(pure):
    wrong = {
        f"{module} imports {name}"
        for module, tree in trees().items()
        if room(module) == pure and module not in READS_FILES
        for name in imports_of(tree)
        if name.split(".")[0] in OUTSIDE
    }
    assert set() == wrong


@pytest.mark.parametrize("pure", PURE)
def test_a_pure_room_reads_no_clock(pure):
    clocks = {"now", "utcnow", "today", "monotonic", "perf_counter"}
    wrong = {
        f"{module}:{node.lineno}"
        for module, tree in trees().items()
        if room(module) == pure
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks
    }
    assert set() == wrong


def test_pure_rooms_import_no_room_below_them():
    below = {*IMPURE, "cli", "rounds", "pjsip"}
    wrong = {
        f"{module} imports {name}"
        for module, tree in trees().items()
        if room(module) in PURE
        for name in imports_of(tree)
        if name.startswith("probe.") and room(name) in below
    }
    assert set() == wrong


def test_rooms_with_an_outside_do_not_know_one_another():
    wrong = {
        f"{module} imports {name}"
        for module, tree in trees().items()
        if room(module) in IMPURE
        for name in imports_of(tree)
        if name.startswith("probe.") and room(name) in {*IMPURE, "cli", "rounds"} - {room(module)}
    }
    assert set() == wrong


def test_the_road_sees_the_outside_only_as_its_own_protocols():
    seen = {name for name in imports_of(trees()["probe.rounds"]) if room(name) in {*IMPURE, "cli"}}
    assert set() == seen


@pytest.mark.parametrize("library", ONE_FILE_EACH)
def test_one_file_imports_a_library(library):
    users = [module for module, tree in trees().items() if library in imports_of(tree)]
    assert len(users) <= 1, users


def test_an_opinion_places_no_call():
    wrong = {
        name
        for module, tree in trees().items()
        if room(module) == "scenario"
        for name in imports_of(tree)
        if room(name) in {"verdict", "health"} and name.startswith("probe.")
    }
    assert set() == wrong


def test_there_are_no_circles():
    graph = {
        module: {name for name in imports_of(tree) if name in trees() and name != module}
        for module, tree in trees().items()
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for name in sorted(graph[module]):
                visit(name, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_imports_stand_at_the_top():
    wrong = {
        f"{module}:{node.lineno}"
        for module, tree in trees().items()
        if room(module) not in {"cli", "__main__"}
        for inside in ast.walk(tree)
        if isinstance(inside, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(inside)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    # Alembic costs 100 ms and is needed only where the schema is missing or old.
    assert {place for place in wrong if not place.startswith("probe.store.opening:")} == set()


def test_functions_are_small():
    sizes = sorted(size for _, size in functions())
    assert statistics.median(sizes) <= 9
    assert sizes[int(len(sizes) * 0.9)] < 40
    assert [] == [name for name, size in functions() if size > 60]


def test_names_say_what_is_inside():
    assert set() == {file.stem for file in files().values()} & DRAWERS
    classes = {node.name for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert set() == {name for name in classes if name.endswith(SUFFIXES)}


def test_no_two_test_files_have_one_name():
    places = defaultdict(list)
    for file in (ROOT / "tests").rglob("test_*.py"):
        places[file.name].append(str(file))
    assert {} == {name: found for name, found in places.items() if len(found) > 1}


def test_every_command_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    listed = subprocess.run([sys.executable, "-m", "probe", "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^    (\w+) ", listed.stdout, re.MULTILINE)
    assert commands
    assert [] == [command for command in commands if f"`probe {command}" not in readme]


def test_nothing_names_a_machine_or_a_mirror():
    registries = "|".join(("deb.deb" + "ian.org", "py" + "pi.org", "files.python" + "hosted", "registry.np" + "mjs"))
    machine = re.compile("/" + rf"(?:work|root|home)/|{registries}")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    wrong = [name for name in tracked.stdout.split("\0") if name and machine.search(read(ROOT / name))]
    assert [] == wrong


def read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
