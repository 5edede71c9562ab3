import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import on_sqlite
from sqlalchemy import event

from probe.errors import ScenarioError, StoreError
from probe.judged import judge_call
from probe.store import open_store, opening, schema


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_the_folder_is_made(tmp_path):
    open_store(f"sqlite:///{tmp_path}/results/probe.db").close()
    assert (tmp_path / "results" / "probe.db").exists()


def test_the_known_revision_is_the_newest_one():
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert [schema.REVISION] == list(ScriptDirectory.from_config(config).get_heads())


def test_the_migrations_make_the_tables_that_the_code_knows(store):
    with store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, schema.metadata)


@on_sqlite
def test_a_begun_call_survives_a_power_cut(store):
    """WAL loses the last commits in a power cut unless each is synced (sqlite.org/pragma.html#pragma_synchronous)."""
    with store._database.reading() as connection:
        assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert 2 == connection.exec_driver_sql("PRAGMA synchronous").scalar()
        assert 1 == connection.exec_driver_sql("PRAGMA foreign_keys").scalar()


@on_sqlite
def test_opening_a_store_that_is_up_to_date_does_not_import_alembic(url):
    open_store(url).close()
    script = (
        f"import sys; from probe.store import open_store; open_store({url!r}).close(); print('alembic' in sys.modules)"
    )
    assert "False" == run_python(script)


def test_a_path_with_odd_characters_opens(tmp_path):
    open_store(f"sqlite:///{tmp_path}/100%/a b/ü.db").close()
    assert (tmp_path / "100%" / "a b" / "ü.db").exists()


@on_sqlite
def test_a_store_of_a_newer_probe_is_left_alone(store, url):
    with store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert f"the store {path_of(url)} was written by a newer probe (schema 9999); update probe" == str(caught.value)


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path):
    """The table `event` is in the way, so that the step fails near its end."""
    connection = sqlite3.connect(tmp_path / "probe.db")
    connection.execute("CREATE TABLE event (other)")
    connection.commit()
    with pytest.raises(StoreError, match="table event already exists"):
        open_store(f"sqlite:///{tmp_path}/probe.db")
    assert [("event",)] == connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("results/probe.db", "--store is not a database URL; write it as sqlite:///results/probe.db"),
        ("sqlite://", "--store names no file; write it as sqlite:///results/probe.db"),
        ("sqlite:///:memory:", "--store names no file; write it as sqlite:///results/probe.db"),
        (
            "mysql://example.com/probe",
            "--store takes sqlite:/// and postgresql:// URLs, not mysql; name one of these",
        ),
        (
            "postgresql+psycopg2://example.com/probe",
            "--store takes PostgreSQL with psycopg, not postgresql+psycopg2; write postgresql://",
        ),
        (
            "postgresql://probe@example.com:http/probe",
            "--store is not a database URL; write it as sqlite:///results/probe.db",
        ),
    ],
)
def test_a_url_that_names_no_store_is_the_users_mistake(url, sentence):
    with pytest.raises(ScenarioError) as caught:
        open_store(url)
    assert sentence == str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"dear diary, " * 1000)
    with pytest.raises(StoreError) as caught:
        open_store(f"sqlite:///{path}")
    assert f"the store {path} is not a database; name another file with --store" == str(caught.value)


@on_sqlite
def test_a_damaged_file_is_named(store, url, make_request, make_record):
    for n in range(20):
        store.refuse(judge_call(make_record(make_request(f"{n}"))))
    store.close()
    pages = bytearray(path_of(url).read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    path_of(url).write_bytes(pages)
    with pytest.raises(StoreError, match="is damaged; restore it from a backup or name another with --store"):
        list(open_store(url).calls())


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened; check that the path is a file"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/results cannot be made \(.*\); name another with --store"):
        open_store(f"sqlite:///{tmp_path}/file/results/probe.db")


@on_sqlite
def test_a_read_only_store_can_be_read_and_says_why_it_cannot_be_written(store, url, make_request, now):
    store.close()
    read_only = open_store(f"sqlite:///file:{path_of(url)}?mode=ro&uri=true")
    assert [] == list(read_only.calls())
    with pytest.raises(StoreError, match="is read-only; give this user the right to write the file and its folder"):
        read_only.begin(make_request(), now)
    read_only.close()


@on_sqlite
def test_a_store_that_another_process_keeps_locked_says_so(store, url, make_request, now, monkeypatch):
    monkeypatch.setattr(opening, "_BUSY_TIMEOUT_S", 0.1)
    hasty = open_store(url)
    with store._database.writing(), pytest.raises(StoreError, match="is locked by another process"):
        hasty.begin(make_request(), now)
    assert hasty.begin(make_request(), now)
    hasty.close()


@on_sqlite
def test_a_full_disk_is_named_and_loses_nothing_that_was_begun(store, url, make_request, make_record):
    """The largest number of pages stands in for the size of the disk."""
    store.close()
    small = open_store(url)
    event.listen(small._database.engine, "begin", _allow_no_more_pages)
    record = make_record(make_request())
    small.begin(record.request, record.started_at)
    huge = make_record(make_request(), detail="x" * 1_000_000)
    with pytest.raises(StoreError, match="cannot grow, because the disk is full; make room"):
        small.finish(judge_call(huge))
    small.finish(judge_call(record))
    assert record == small.call("call-1")
    small.close()


def _allow_no_more_pages(connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 60")


CREATE = """
import sys
from probe.store import open_store
sys.stdin.readline()
open_store({url!r}).close()
print("opened")
"""


def test_processes_that_open_a_new_store_at_once_all_succeed(empty_url):
    processes = [start_python(CREATE.format(url=empty_url)) for _ in range(3)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [("opened\n", "")] * 3 == [process.communicate(timeout=60) for process in processes]


BEGIN = """
import sys
from datetime import UTC, datetime
from probe.call import CallRequest
from probe.store import open_store
store = open_store({url!r})
def begin(n):
    ids = {{"id": f"{me}-{{n}}", "plan_key": f"plan {{n}}"}}
    request = CallRequest(**ids, trunk="t", caller="+12025550101", callee="+12025550199")
    return store.begin(request, datetime.now(UTC))
sys.stdin.readline()
print([n for n in range({plans}) if begin(n)], flush=True)
sys.stdin.readline()
"""


def test_processes_that_begin_the_same_plans_at_once_begin_each_once(url):
    open_store(url).close()
    processes = [start_python(BEGIN.format(url=url, me=me, plans=30)) for me in ("a", "b", "c")]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    begun = [json.loads(process.communicate("done\n", timeout=60)[0]) for process in processes]
    assert list(range(30)) == sorted(chain(*begun))


def test_a_call_whose_process_was_killed_is_lost_and_never_begun_again(store, url, make_request):
    process = start_python(BEGIN.format(url=url, me="a", plans=1))
    process.stdin.write("go\n")
    process.stdin.flush()
    assert "[0]\n" == process.stdout.readline()
    process.kill()
    process.communicate()
    now = datetime.now(UTC)
    assert () == store.mark_lost(now)
    assert ["a-0"] == [record.request.id for record in store.mark_lost(now + timedelta(minutes=2))]
    assert not store.begin(make_request(plan_key="plan 0"), now)


def start_python(script: str) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script], text=True, **pipes)


def run_python(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
