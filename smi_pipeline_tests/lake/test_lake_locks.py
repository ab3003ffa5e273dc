"""A lock that is lost is noticed by who held it, and nothing is committed under it."""

import threading
from dataclasses import replace
from datetime import date

import duckdb
import polars as pl
import pytest

from smi_pipeline.lake.connection import Lake, LakeError, attempts
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.lake.locks import reach
from smi_pipeline.lake.storage import lake_name

MAY = date(2025, 5, 1)
NAME = "collect-x-2030-01"
HOLDERS = (
    "select pid from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted"
    " and datname = current_database()"
)


@pytest.fixture
def shared(tmp_path, elsewhere_only):
    """A lake whose catalog is in PostgreSQL, opened once."""
    lake = Lake.of(tmp_path / "lake", elsewhere_only)
    lake.snapshot()
    return lake


def cut(lake):
    """End the connection that holds a lock, as a server that restarts does."""
    with reach(lake.storage.conninfo, lake.storage.password) as connection:
        ended = connection.execute(f"select pg_terminate_backend(pid) from ({HOLDERS}) as held").fetchall()
    assert ended == [(True,)]


def append(lake, account):
    with lake.write(f"posts of {account}") as transaction:
        transaction.cursor.execute("insert into raw.x_posts (month, account_id) values ($1, $2)", [MAY, account])


def accounts(lake):
    with lake.read() as cursor:
        return [name for (name,) in cursor.execute("select account_id from raw.x_posts order by all").fetchall()]


def test_who_loses_its_connection_hears_it_at_the_latest_when_it_lets_go(shared):
    with pytest.raises(LakeError, match=f"connection that held the lock {NAME} is gone"), shared.lock(NAME):
        cut(shared)


def test_nothing_is_committed_by_who_knows_that_its_lock_is_gone(shared):
    def late():
        with shared.lock(NAME):
            append(shared, "first")
            cut(shared)
            append(shared, "late")

    with pytest.raises(LakeError, match=f"lock {NAME} is gone"):
        late()
    assert accounts(shared) == ["first"]


def test_the_server_refuses_a_commit_after_the_next_holder_has_come(shared, monkeypatch):
    """The first holder's look before its commit sees nothing: the lock is lost between the look and the commit."""

    def late():
        with shared.lock(NAME), shared.write("late") as transaction:
            transaction.cursor.execute("insert into raw.x_posts (month, account_id) values ($1, 'late')", [MAY])
            cut(shared)
            other = threading.Thread(target=second, args=(shared,))
            other.start()
            other.join(30)
            assert not other.is_alive()
            monkeypatch.setattr(Lake, "_locks", lambda _: {"locks": [(NAME, 1)]})

    with pytest.raises(LakeError, match=rf"the lock {NAME} was lost and another process has taken it"):
        late()
    assert accounts(shared) == ["second"]


def second(lake):
    """Another holder, which commits while it holds the lock."""
    with lake.lock(NAME):
        append(lake, "second")


def test_a_commit_under_a_lock_that_is_still_held_passes_however_often_it_was_taken(shared):
    for number in range(3):
        with shared.lock(NAME, "another"):
            append(shared, f"a{number}")
            replace_month(shared, "metrics.sums", MAY, pl.DataFrame({"month": [MAY], "n": [number]}))
    assert accounts(shared) == ["a0", "a1", "a2"]
    schema = lake_name(shared.path)
    with reach(shared.storage.conninfo, shared.storage.password) as connection:
        counted = dict(connection.execute(f'select name, number from "{schema}".smi_lock').fetchall())
    assert counted[NAME] == 3
    assert counted["another"] == 3


def test_a_plain_shells_commit_carries_no_locks_and_passes(shared):
    with shared.read() as cursor:
        cursor.execute("rollback")
        cursor.execute("insert into raw.x_posts (month, account_id) values ($1, 'by hand')", [MAY])
    assert accounts(shared) == ["by hand"]


def test_threads_that_wait_for_one_lock_have_it_one_after_the_other(lake):
    inside, seen = [], []

    def hold():
        for attempt in attempts():
            with attempt, lake.lock(NAME):
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=hold) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [1] * 6


def test_a_lock_whose_file_is_deleted_is_lost(tmp_path):
    """Whoever comes next locks a new file of that name."""
    lake = Lake.of(tmp_path / "lake")
    lake.snapshot()

    def late():
        with lake.lock(NAME):
            (lake.path / ".locks" / f"{NAME}.lock").unlink()
            append(lake, "late")

    with pytest.raises(LakeError, match=r"collect-x-2030-01\.lock was deleted while its lock was held"):
        late()
    assert accounts(lake) == []


def test_who_waited_for_a_file_that_was_deleted_meanwhile_locks_the_new_one(tmp_path):
    lake, order = Lake.of(tmp_path / "lake"), []
    lake.snapshot()

    def wait():
        with lake.lock(NAME):
            order.append("second")
            assert (lake.path / ".locks" / f"{NAME}.lock").exists()

    waiting = threading.Thread(target=wait)

    def lose():
        with lake.lock(NAME):
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive()
            (lake.path / ".locks" / f"{NAME}.lock").unlink()

    with pytest.raises(LakeError, match="deleted"):
        lose()
    waiting.join(30)
    assert order == ["second"]


def test_a_role_that_may_only_read_the_catalog_reads_the_lake(shared, tmp_path):
    """It cannot count a lock up, and needs no number: it commits nothing."""
    append(shared, "first")
    schema = lake_name(shared.path)
    with reach(shared.storage.conninfo, shared.storage.password) as connection:
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login password 'SMI_CANARY_catalog'")
        connection.execute(f'grant usage on schema "{schema}" to reader')
        connection.execute(f'grant select on all tables in schema "{schema}" to reader')
    reading = replace(shared.storage, catalog=shared.storage.catalog.replace("user=smi", "user=reader"))
    assert accounts(Lake.of(tmp_path / "lake", reading)) == ["first"]
    with pytest.raises((LakeError, duckdb.Error), match="permission denied"):
        append(Lake.of(tmp_path / "lake", reading), "second")
    assert accounts(shared) == ["first"]
