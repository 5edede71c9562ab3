"""What goes wrong with a server: each is one sentence that names the store; and after it, the same store goes on."""

import contextlib
import signal
import traceback
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from postgres import GUARDED, running

from probe.errors import ScenarioError, StoreError
from probe.judged import judge_call
from probe.store import open_store

SECRET = "c0ffee:5ec7/e7"
WRITTEN = "c0ffee%3A5ec7%2Fe7"


@pytest.fixture
def url(emptied):
    emptied.empty()
    return emptied.url


@pytest.fixture(scope="module")
def server():
    """A server that may be stopped."""
    with running() as own:
        own.run(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{SECRET}'")
        open_store(own.url("template1")).close()
        own.run("CREATE DATABASE kept")
        own.run(f"GRANT SELECT ON alembic_version TO {GUARDED}", "kept")
        yield own


@pytest.fixture
def own_url(server):
    return server.database()


@pytest.fixture
def own_store(own_url):
    opened = open_store(own_url)
    yield opened
    opened.close()


def said(call, *arguments):
    with pytest.raises((StoreError, ScenarioError)) as caught:
        call(*arguments)
    whole = "".join(traceback.format_exception(caught.value))
    assert SECRET not in whole
    assert WRITTEN not in whole
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_url_means_psycopg_whatever_it_says(url, scheme):
    open_store(f"{scheme}://{url.partition('://')[2]}").close()


# A server that is not there, or goes.


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_store_goes_on_when_its_server_is_back(server, own_store, make_request, now, how):
    """Several connections lie in the pool, and every one of them is dead."""
    together = Barrier(4)

    def hold_one(_):
        with own_store._database.reading():
            together.wait(10)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(hold_one, range(4)))
    assert 4 == own_store._database.engine.pool.checkedin()
    server.restart(how)
    assert [True] * 6 == [own_store.begin(make_request(f"{n}"), now) for n in range(6)]


def test_a_step_that_its_server_dies_in_fails_and_can_be_done_again(server, own_store, make_request, make_record):
    record = make_record(make_request())

    def dies(*_):
        server.restart(signal.SIGQUIT)
        return ()

    own_store.begin(record.request, record.started_at)
    told = said(own_store.finish, judge_call(record), dies, "https://hooks.example.com/")
    expected = "lost its server in the middle of a step; see that the server runs, and repeat"
    assert told.endswith(expected)
    assert [] == list(own_store.calls())
    own_store.finish(judge_call(record))
    assert record == own_store.call("call-1")


def test_a_server_that_is_down_is_named_and_the_store_goes_on_when_it_is_up(server, own_store, own_url):
    name = own_url.replace(f"?host={server.host}", f"?host={server.host.replace('/', '%2F')}")
    server.stop()
    try:
        expected = (
            f"the store {name} cannot be reached (No such file or directory); "
            "see that its server runs, and check host, port, user and database of the URL"
        )
        assert expected == said(own_store.pauses)
        assert expected == said(open_store, own_url)
    finally:
        server.start()
    assert () == own_store.pauses()


@pytest.mark.parametrize(
    ("place", "why"),
    [("nowhere.invalid", "Name or service not known"), ("127.0.0.1:1", "Connection refused")],
)
def test_a_machine_that_is_not_there_is_named(place, why):
    told = said(open_store, f"postgresql://probe:{WRITTEN}@{place}/calls")
    assert told.startswith(f"the store postgresql://probe@{place}/calls cannot be reached (")
    assert why in told


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("colour=red", 'invalid connection option "colour"'),
        ("connect_timeout=soon", "bad value for connect_timeout: 'soon'"),
        ("port=99999", 'invalid port number: "99999"'),
        ("options=-c colour=red", 'FATAL: unrecognized configuration parameter "colour"'),
    ],
)
def test_what_libpq_does_not_take_is_named(emptied, more, why):
    told = said(open_store, f"{emptied.url}&{more}")
    assert f"cannot be reached ({why}); see that its server runs, and check" in told


# Who is let in.


def test_a_wrong_password_is_not_shown_and_the_user_told_where_it_comes_from(server):
    url = server.url("kept", f"{GUARDED}:not{WRITTEN}")
    told = said(open_store, url)
    assert "does not take this user and password (FATAL: password authentication failed" in told
    assert told.endswith("check PGPASSWORD, ~/.pgpass and the URL")


def test_a_password_that_is_missing_is_asked_for(server, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    told = said(open_store, server.url("kept", GUARDED))
    assert told.endswith("; give it as PGPASSWORD, in ~/.pgpass or in the URL")


def test_a_password_may_come_from_the_environment_or_a_file(server, monkeypatch, tmp_path):
    url = server.url("kept", GUARDED)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    open_store(url).close()
    monkeypatch.delenv("PGPASSWORD")
    kept = tmp_path / "pgpass"
    escaped = SECRET.replace(":", "\\:")
    kept.write_text(f"*:*:*:{GUARDED}:{escaped}\n")
    kept.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(kept))
    open_store(url).close()


def test_a_database_that_is_missing_is_named(server):
    told = said(open_store, server.url("nowhere"))
    assert 'does not exist on its server (FATAL: database "nowhere" does not exist); make it with createdb' in told


def test_a_server_that_is_stopping_is_not_taken_for_a_database_that_is_missing(server, own_store, own_url):
    with own_store._database.reading():
        server.begin_stop()
        assert "is starting or stopping (FATAL: the database system is shutting down); repeat" in said(
            open_store, own_url
        )
    own_store.close()
    server.stop()
    server.start()


def test_a_user_that_is_unknown_is_named(server):
    assert "knows no such user (" in said(open_store, server.url("postgres", "nobody"))


@pytest.mark.parametrize(
    "url_of",
    [
        "postgresql://probe:c0f@fee@db.example.com/calls",
        "postgresql://probe:c0f@fee/x@db.example.com/calls",
        "postgresql://probe:c0f@fee?x@db.example.com/calls",
    ],
)
def test_a_password_with_an_at_sign_is_never_taken_for_a_host(url_of):
    told = said(open_store, url_of)
    assert "--store has more than one @; write those of a user or password as %40" == told


def test_a_password_among_the_options_of_the_url_is_not_shown():
    told = said(open_store, f"postgresql://probe@127.0.0.1:1/calls?password={WRITTEN}&sslpassword={WRITTEN}")
    assert told.startswith("the store postgresql://probe@127.0.0.1:1/calls cannot be reached")


# What may be done.


@pytest.mark.usefixtures("store")
def test_a_read_only_server_can_be_read_and_says_why_it_cannot_be_written(url, make_request, now):
    standby = open_store(f"{url}&options=-c default_transaction_read_only=on")
    assert [] == list(standby.calls())
    assert "is read-only; name the server that takes writes" in said(standby.begin, make_request(), now)
    standby.close()


def test_an_empty_database_that_is_read_only_is_named(server):
    empty = server.database("TEMPLATE template0")
    assert "is read-only" in said(open_store, f"{empty}&options=-c default_transaction_read_only=on")


def test_a_user_who_may_not_write_is_told(server, own_url, make_request, now):
    with contextlib.suppress(psycopg.errors.DuplicateObject):
        server.run("CREATE ROLE onlooker LOGIN")
    database = own_url.partition("?")[0].rpartition("/")[2]
    server.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker", database)
    looking = open_store(server.url(database, "onlooker"))
    assert [] == list(looking.calls())
    assert "may not be written by this user; give this user the right" in said(looking.begin, make_request(), now)
    looking.close()


def test_a_store_that_another_process_keeps_locked_says_so(store, url, make_request, now):
    hasty = open_store(f"{url}&options=-c lock_timeout=100ms")
    with store._database.writing() as connection:
        connection.exec_driver_sql("LOCK TABLE call")
        assert "is locked by another process; wait for that process or stop it" in said(
            hasty.begin, make_request(), now
        )
    assert hasty.begin(make_request(), now)
    hasty.close()


def test_a_process_that_stands_still_keeps_nobody_waiting_for_good(url, store, make_request, now):
    still = open_store(f"{url}&options=-c idle_in_transaction_session_timeout=200ms")

    def stand_still():
        with still._database.writing() as connection:
            connection.exec_driver_sql("LOCK TABLE call")
            assert store.begin(make_request(), now)
            connection.exec_driver_sql("SELECT 1")

    assert "lost its server in the middle of a step" in said(stand_still)
    still.close()


def test_nobody_is_waited_for_without_end_unless_the_url_says_so(store, url):
    patient = open_store(f"{url}&options=-c lock_timeout=0&connect_timeout=99&keepalives_idle=7")
    for opened, expected in ((store, ("10s", "10", "30")), (patient, ("0", "99", "7"))):
        with opened._database.reading() as connection:
            said = connection.connection.dbapi_connection.info.get_parameters()
            lock_timeout = connection.exec_driver_sql("SHOW lock_timeout").scalar()
            assert expected == (lock_timeout, said["connect_timeout"], said["keepalives_idle"])
            assert "1min" == connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
    patient.close()


def test_an_encoding_that_cannot_hold_every_text_is_refused(server):
    latin = server.database("TEMPLATE template0 ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C'")
    assert "keeps its text as LATIN1; make the database anew with ENCODING 'UTF8'" in said(open_store, latin)


@pytest.mark.parametrize("asked", ["", "&client_encoding=latin1"])
def test_a_database_without_an_encoding_keeps_every_text(server, make_request, make_record, asked):
    """Debian's own server has none where no language is set."""
    url = server.database("TEMPLATE template0 ENCODING SQL_ASCII LOCALE_PROVIDER libc LOCALE 'C'")
    plain = open_store(url + asked)
    record = make_record(make_request(label="Bücher \u4e66 \U0001f4da"), detail="é")
    plain.begin(record.request, record.started_at)
    plain.finish(judge_call(record))
    assert record == plain.call("call-1")
    plain.close()


# One moment.


def test_whoever_reads_sees_one_moment(store, make_request, now):
    with store._database.reading() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM call").scalar()
        store.begin(make_request(), now)
        assert before == connection.exec_driver_sql("SELECT count(*) FROM call").scalar()


def test_whoever_writes_sees_what_others_wrote_before_he_had_his_turn(store, make_request, now):
    """Even on a server whose transactions see one moment unless they ask for another."""
    with store._database.writing() as connection:
        assert "serializable" == connection.exec_driver_sql("SHOW default_transaction_isolation").scalar()
        before = connection.exec_driver_sql("SELECT count(*) FROM call").scalar()
        store.begin(make_request(), now)
        assert before + 1 == connection.exec_driver_sql("SELECT count(*) FROM call").scalar()
