"""Whatever is written, in whatever order, a read of the lake says what a plain DuckDB copy of the same rows says.

The faults of DuckLake 1.5.5 that lake/bounds.py goes round depend on which file, row group or commit has no value first.
Row groups have 2,048 rows here, so that a file has several; `make test-bounds` tries two thousand histories, and twenty
with months of several hundred thousand rows and the row groups of production.
"""

import itertools
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from smi_pipeline.lake import bounds, care, connection, schema
from smi_pipeline.lake.backup import back_up, restore
from smi_pipeline.lake.catalog import data_files
from smi_pipeline.lake.connection import Lake, database, extension_path, quoted
from smi_pipeline.lake.derived import drop_derived, replace_month, replace_months
from smi_pipeline.lake.storage import Storage

EXAMPLES = int(os.environ.get("SMI_TESTS_EXAMPLES", "20"))
LARGE_EXAMPLES = int(os.environ.get("SMI_TESTS_LARGE_EXAMPLES", "2"))
GROUP, MONTHS = 2_048, [date(2025, month, 1) for month in range(1, 5)]

# Values of a type made of a whole number `n`, with ends that other commits lie beyond.
VALUES = {
    "tinyint": "({n} % 120)::tinyint",
    "integer": "{n}::integer",
    "bigint": "{n}::bigint * 4294967296",
    "double": "{n} / 8",
    "decimal(12,2)": "({n} / 4)::decimal(12,2)",
    "date": "date '2025-01-01' + ({n})::integer",
    "timestamptz": "timestamptz '2025-01-01 00:00:00+00' + to_minutes({n})",
    "varchar": "case when {n} % 97 = 5 then 'a' || chr(0) || ({n}) else 'v' || ({n}) end",
    "boolean": "{n} % 2 = 0",
    "json": "to_json({n})",
    "varchar[]": "['e' || ({n})]",
}
# Which of a month's rows have no value, by their place in it; {rows} are there in all.
NULLS = {
    "none": "false",
    "all": "true",
    "leading": "i < {rows} - 3",
    "first group": "i < {group}",
    "trailing": "i >= 3",
    "some": "hash(i) % 3 = 0",
}


@dataclass(frozen=True)
class Part:
    """A month's rows: how many, which have no value in each of two columns, and where their values begin."""

    month: date
    rows: int
    nulls: tuple[str, str]
    base: int

    def select(self, kinds, group):
        columns = [
            f"case when {NULLS[nulls].format(rows=self.rows, group=group)} then null"
            f" else {VALUES[kind].format(n=f'({self.base} + i % 101)')} end::{kind} as c{place}"
            for place, (nulls, kind) in enumerate(zip(self.nulls, kinds, strict=False))
        ]
        return f"select date '{self.month}' as month, i as id, {', '.join(columns)} from range({self.rows}) as r(i)"


def parts(sizes):
    return st.builds(
        Part,
        month=st.sampled_from(MONTHS),
        rows=st.sampled_from(sizes),
        nulls=st.tuples(st.sampled_from(sorted(NULLS)), st.sampled_from(sorted(NULLS))),
        base=st.sampled_from([-110, 0, 7, 500]),
    )


def histories(sizes):
    """A pair of column types, and steps: each a verb and the parts it is about."""
    appended = st.tuples(st.just("append"), st.lists(parts(sizes), min_size=1, max_size=3))
    replaced = st.tuples(
        st.just("replace"), st.lists(parts(sizes), min_size=1, max_size=4, unique_by=lambda part: part.month)
    )
    alone = st.sampled_from(["compact", "flush", "add column", "expire", "back up", "restore", "open again"])
    step = st.one_of(appended, replaced, appended, replaced, st.tuples(alone, st.just([])))
    kinds = st.tuples(st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(VALUES)))
    return st.tuples(kinds, st.lists(step, min_size=2, max_size=7))


@dataclass
class World:
    """A lake, a plain DuckDB table that must be like a table of it, and a shell that knows nothing of this project."""

    lake: Lake
    group: int
    folder: Path
    counter: itertools.count = field(default_factory=itertools.count)
    turns: itertools.count = field(default_factory=itertools.count)
    last: bool = False  # whether the history ends here: then the shell is asked, too
    truth: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    shell: duckdb.DuckDBPyConnection | None = None

    def begin(self, kinds):
        self.table, self.kinds, self.columns = f"metrics.t{next(self.counter)}", kinds, 1
        self.kept = self.before = None
        self.truth.execute("set TimeZone='UTC'")
        self.truth.execute(f"create or replace table t (month date, id bigint, c0 {kinds[0]})")
        replace_month(
            self.lake, self.table, MONTHS[0], Part(MONTHS[0], 0, ("none", "none"), 0).select(self.kinds[:1], 1)
        )

    def append(self, *listed):
        selects = [one.select(self.kinds[: self.columns], self.group) for one in listed]
        with self.lake.write("appended") as transaction:
            for select in selects:
                transaction.cursor.execute(f"insert into {self.table} by name {select}")
        for select in selects:
            self.truth.execute(f"insert into t by name {select}")

    def replace(self, *listed):
        """Several months in one commit, as a backfill does."""
        selects = [one.select(self.kinds[: self.columns], self.group) for one in listed]
        months = [one.month for one in listed]
        with self.lake.read() as cursor:
            self.before = cursor.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchone()[0]
        self.truth.execute("create or replace table earlier as from t")
        of_month = "select * from ({}) where month = getvariable('month')"
        replace_months(self.lake, months, {self.table: of_month.format(" union all ".join(f"({s})" for s in selects))})
        for month, select in zip(months, selects, strict=True):
            self.truth.execute("delete from t where month = $1", [month])
            self.truth.execute(f"insert into t by name {select}")

    def compact(self):
        care.compact(self.lake)

    def flush(self):
        care.flush(self.lake)

    def add_column(self):
        if self.columns == 1:
            self.columns = 2
            self.truth.execute(f"alter table t add column c1 {self.kinds[1]}")
            with self.lake.write("a column more", over=[self.table]) as transaction:
                transaction.cursor.execute(f"alter table {self.table} add column c1 {self.kinds[1]}")

    def expire(self):
        self.before = None
        care.expire(self.lake, days=0)

    def back_up(self):
        if self.lake.catalog_file is not None:
            self.close()  # a command of its own does it
            shutil.rmtree(self.folder, ignore_errors=True)
            back_up(self.lake, self.folder)
            self.truth.execute("create or replace table kept as from t")
            self.kept = self.columns

    def restore(self):
        if self.kept is not None:
            self.close()
            restore(self.folder, self.lake, force=True)
            self.truth.execute("create or replace table t as from kept")
            self.columns, self.before = self.kept, None

    def open_again(self):
        self.close()

    def close(self):
        database(os.getpid(), self.lake).close()
        database.cache_clear()
        if self.shell is not None:
            self.shell.close()
            self.shell = None

    def end(self):
        drop_derived(self.lake, self.table)
        care.expire(self.lake, days=0)

    def plain(self):
        if self.shell is None:
            self.shell = duckdb.connect(config={"autoinstall_known_extensions": "false"})
            for name in self.lake.storage.extensions():
                self.shell.execute(f"load {quoted(extension_path(name))}")
            self.lake.storage.attach(self.shell, self.lake.path, "lake", "READ_ONLY")
            self.shell.execute("set TimeZone='UTC'")
        return self.shell

    def compare(self):
        turn = next(self.turns)
        with self.lake.read() as cursor:
            for sql in questions(self.kinds[: self.columns], turn, every=self.last):
                expected = self.truth.execute(sql.format(table="t")).fetchall()
                assert cursor.execute(sql.format(table=self.table)).fetchall() == expected, sql
                if self.last:
                    assert self.plain().execute(sql.format(table=f"lake.{self.table}")).fetchall() == expected, sql
            if self.before is not None and self.last:
                for sql in questions(self.kinds[:1], turn):
                    then = sql.format(table=f"(from {self.table} at (version => {self.before}))")
                    assert cursor.execute(then).fetchall() == self.truth.execute(sql.format(table="earlier")).fetchall()
            if self.last:
                self.see_that_bounds_hold(cursor)

    def see_that_bounds_hold(self, cursor):
        own = self.lake.storage.catalog_schema(self.lake.path)
        tables, files = bounds.of_tables(cursor, own), bounds.of_files(cursor, own)
        assert tables == {}
        listed = [column for column in bounds.columns(cursor, own) if column.table == self.table]
        for file in data_files(self.lake, cursor):
            if file.table == self.table and file.id is not None:
                of_file = {column: kept for (one, column), kept in files.items() if one == file.id}
                seen = bounds.in_file(cursor, file.path, listed, of_file, tables)
                assert [one for one in seen if one[2]] == []


def questions(kinds, turn, every=True):
    """Every way in which a read may use bounds, of one column or of every one; columns and values take turns."""
    for place, kind in enumerate(kinds):
        if not every and place != turn % len(kinds):
            continue
        c, (low, high) = f"c{place}", ((-109, 3), (0, 90), (7, 507), (55, 600))[turn % 4]
        yield f"select count(*), count({c}) from {{table}}"
        yield f"select count(*) from {{table}} where {c} is {'not null' if turn % 2 else 'null'}"
        yield f"select {c}, count(*) from {{table}} group by {c} order by {c} nulls first"
        if kind in {"json", "varchar[]"}:
            continue
        one, other = (f"({VALUES[kind].format(n=f'({n})')})" for n in (low, high))
        yield f"select min({c}), max({c}) from {{table}}"
        yield f"select month, min({c}), max({c}), count({c}) from {{table}} group by month order by month"
        yield f"select id, {c} from {{table}} order by {c} desc nulls last, id, month limit 5"
        yield f"select count(*) from {{table}} where {c} = {one if turn % 2 else other}"
        yield f"select count(*), sum(id) from {{table}} where {c} > {one}"
        yield f"select count(*), sum(id) from {{table}} where {c} <= {other} and month > date '2025-01-01'"
        yield f"select count(*), min(a.{c}) from {{table}} as a join (values ({one}), ({other})) as b(v) on a.{c} = b.v"


@contextmanager
def world(storage, group):
    """Lakes are costly to make: histories follow each other in one, each in a table of its own."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "ROW_GROUP_ROWS", group)
        patch.setattr(connection, "FLUSHED_ROWS", min(group, connection.FLUSHED_ROWS))
        made = World(Lake.of(Path(name) / "lake", storage), group, Path(name) / "backup")
        try:
            yield made
        finally:
            made.close()


def holds(made, history):
    kinds, steps = history
    made.begin(kinds)
    for place, (verb, listed) in enumerate(steps, 1):
        event(verb)
        getattr(made, verb.replace(" ", "_"))(*listed)
        made.last = place == len(steps)
        made.compare()
    made.end()


SMALL = [0, 1, 4, GROUP, GROUP + 1, 3 * GROUP + 5]
HOW = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": [Phase.generate]}


def test_small_histories_read_like_a_plain_copy_of_their_rows():
    with world(Storage(), GROUP) as made:

        @settings(max_examples=EXAMPLES, derandomize=EXAMPLES == 20, **HOW)
        @given(histories(SMALL))
        def tried(history):
            holds(made, history)

        tried()


def test_small_histories_read_so_with_a_catalog_in_postgresql(elsewhere_only):
    with world(elsewhere_only, GROUP) as made:

        @settings(max_examples=max(3, EXAMPLES // 20), derandomize=EXAMPLES == 20, **HOW)
        @given(histories(SMALL))
        def tried(history):
            holds(made, history)

        tried()


def test_histories_of_large_months_read_so_with_row_groups_of_production():
    with world(Storage(), schema.ROW_GROUP_ROWS) as made:

        @settings(max_examples=LARGE_EXAMPLES, derandomize=LARGE_EXAMPLES == 2, **HOW)
        @given(histories([10, schema.ROW_GROUP_ROWS * 2 + 1, 400_000]))
        def tried(history):
            holds(made, history)

        tried()
