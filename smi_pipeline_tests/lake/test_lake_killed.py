"""kill -9 before, in and after COMMIT, while a month is collected, replaced and compacted, on both kinds of lake.

Every point leaves what was acknowledged, no half batch and no half month, and files that nothing refers to are found;
the run that goes on from there ends as one that nobody disturbed. `make test` takes a sample, `make test-crash` all.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from math import ceil

import psycopg
import pytest
from killed import BATCH, POSTS, SUMS, Unwatched, collect
from servers import LISTED_FOR, PASSWORD, Servers, storage
from smi import PROJECT, environment
from writer import MAY

from smi_pipeline.lake.connection import Lake, database
from smi_pipeline.lake.derived import replace_month

OPERATIONS = ("append", "replace", "compact")
# Parts of the lines that an operation runs, and of the time its COMMIT takes, and longer.
# Not the very last line: answers come in another order each time, and a collection takes some lines more or fewer.
LINES, COMMIT = [*(part / 10 for part in range(1, 10)), 0.95], [part / 16 for part in range(24)]
POINTS = [
    (operation, where, part)
    for operation in OPERATIONS
    for where, parts in (("line", LINES), ("commit", COMMIT))
    for part in parts
]
SAMPLE = {("append", "commit", 0.5), ("replace", "line", 0.8), ("replace", "commit", 0.75), ("compact", "commit", 0.5)}


@dataclass(frozen=True)
class Place:
    """A lake with the settings a process needs to find it, and the folder its Parquet files are in."""

    lake: Lake
    settings: dict
    files: object

    def run(self, *arguments):
        named = environment(SMI_LAKE=str(self.lake.path), **self.settings)
        command = [sys.executable, PROJECT / "smi_pipeline_tests" / "killed.py", *map(str, arguments)]
        done = subprocess.run(command, env=named, capture_output=True, text=True, check=False, timeout=300)
        said = {}
        for line in done.stdout.splitlines():
            for word, what in json.loads(line).items():
                said.setdefault(word, []).append(what)
        return done, said

    def close(self):
        """Let go of this process's database: hundreds of them would be kept."""
        database(os.getpid(), self.lake).close()
        database.cache_clear()


class Folders:
    """Lakes in their folders."""

    def __init__(self, base):
        self.base = base

    def place(self, copy_of=None):
        folder = self.base / uuid.uuid4().hex[:12] / "lake"
        if copy_of is not None:
            shutil.copytree(copy_of.lake.path, folder)
        return Place(Lake.of(folder), {}, folder / "tables")


class Hosts:
    """Lakes in a database and a bucket of their own."""

    def __init__(self, base, servers: Servers):
        self.base, self.servers = base, servers

    def place(self, copy_of=None):
        name = f"k{uuid.uuid4().hex[:12]}"
        if copy_of is None:
            settings = self.servers.fresh(name)
        else:
            settings = self.servers.fresh(name, like=copy_of.lake.path.parent.name)
            shutil.copytree(copy_of.files, self.servers.files(name))
            time.sleep(LISTED_FOR + 0.1)
        lake = Lake.of(self.base / name / "lake", storage(settings))
        return Place(lake, settings, self.servers.files(name))


@dataclass(frozen=True)
class Undisturbed:
    """Where the runs begin, what one of them ends with, and what it took."""

    places: object
    begin: Place
    before: dict
    after: dict
    measured: dict


@pytest.fixture(scope="module", params=["folder", "servers"])
def undisturbed(request, tmp_path_factory):
    base = tmp_path_factory.mktemp("killed")
    folder = request.param == "folder"
    places = Folders(base) if folder else Hosts(base, request.getfixturevalue("servers"))
    begin = places.place()
    collect(begin.lake, "provisional", Unwatched())
    replace_month(begin.lake, "metrics.sums", MAY, SUMS)
    before = contents(begin.lake)
    begin.close()
    whole = places.place(begin)
    done, said = whole.run()
    assert done.returncode == 0, done.stderr
    after = contents(whole.lake)
    whole.close()
    assert len(after["posts"]) == 2 * len(before["posts"])
    return Undisturbed(places, begin, before, after, said["measured"][0])


@pytest.mark.parametrize(
    ("operation", "where", "part"),
    [pytest.param(*point, marks=() if point in SAMPLE else pytest.mark.crash) for point in POINTS],
)
def test_a_kill_loses_nothing_acknowledged_halves_nothing_and_the_next_run_ends_as_if_it_had_not_been(
    undisturbed, operation, where, part, record_property
):
    took = undisturbed.measured[operation]
    point = ceil(part * took["lines"]) if where == "line" else part * took["commit"]
    place = undisturbed.places.place(undisturbed.begin)
    done, said = place.run(operation, where, point)
    assert done.returncode == -signal.SIGKILL, done.stderr

    found, before, after = contents(place.lake), undisturbed.before, undisturbed.after
    acknowledged = {name for names in said.get("appended", []) for name in names}
    outcomes = [name for _, name, _ in found["outcomes"] if name not in {old for _, old, _ in before["outcomes"]}]
    names = set(outcomes)
    assert acknowledged <= names
    assert len(outcomes) == len(names)
    assert len(names) % BATCH == 0
    kept, new = before["posts"], [row for row in found["posts"] if row not in before["posts"]]
    assert [row for row in found["posts"] if row in kept] == kept
    assert new == [row for row in after["posts"] if row[1] in names]
    assert len(new) == POSTS * len(names)
    assert found["sums"] in ([after["sums"]] if "replaced" in said else [before["sums"], after["sums"]])
    record_property(
        "acknowledged, there", (sorted(acknowledged), sorted(names), "replaced" in said, found["sums"] == after["sums"])
    )

    left = orphans(place)
    assert left == on_disk(place) - referred(place)
    place.close()
    again, _ = place.run()
    assert again.returncode == 0, again.stderr
    assert contents(place.lake) == undisturbed.after
    assert left <= orphans(place)
    with place.lake.write("orphans removed") as transaction:
        transaction.cursor.execute("call ducklake_delete_orphaned_files('lake', cleanup_all => true)").fetchall()
    assert on_disk(place) == referred(place)
    assert contents(place.lake) == undisturbed.after
    place.close()


def contents(lake):
    """What a month is made of, without times and request counts."""
    queries = {
        "posts": "select collection_id, account_id, id, like_count, text from raw.x_posts order by all",
        "accounts": "select collection_id, account_id, followers_count from raw.x_accounts order by all",
        "outcomes": "select collection_id, account_id, outcome from raw.collection_account order by all",
        "collections": "select collection_id, status, accounts_asked, accounts_answered from raw.collection order by 1",
        "sums": "select * from metrics.sums order by all",
    }
    with lake.read() as cursor:
        return {name: cursor.execute(sql).fetchall() for name, sql in queries.items()}


def orphans(place):
    """The files DuckLake finds that it does not refer to, however young."""
    with place.lake.read() as cursor:
        rows = cursor.execute("call ducklake_delete_orphaned_files('lake', dry_run => true, cleanup_all => true)")
        return {path.rpartition("/")[2] for (path,) in rows.fetchall()}


def on_disk(place):
    return {path.name for path in place.files.rglob("*.parquet")}


def referred(place):
    """Every file that the catalog's own tables name, those that only wait to be deleted among them."""
    names = ("ducklake_data_file", "ducklake_delete_file", "ducklake_files_scheduled_for_deletion")
    with place.lake.read() as cursor:
        if place.lake.storage.conninfo is None:
            rows = [cursor.execute(f"select path from __ducklake_metadata_lake.{name}").fetchall() for name in names]
        else:
            with psycopg.connect(place.lake.storage.conninfo, password=PASSWORD) as connection:
                rows = [connection.execute(f"select path from lake.{name}").fetchall() for name in names]
    return {path.rpartition("/")[2] for listed in rows for (path,) in listed}
